"""Addresses of genes and peaks: names to choose from, and links beyond a single cell's table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from bi2scope.server import exports, maps, names
from bi2scope.server.answers import CSV, Served, csv, json
from bi2scope.server.params import MAX_ROWS, MapQuery, NamesQuery
from bi2scope.server.wire_genes import GeneNames, PeakNames, RegulatoryMap

router = APIRouter()


@router.get("/genes", response_model=GeneNames)
def get_genes(catalogue: Served, query: Annotated[NamesQuery, Query()]) -> Response:
    """Genes whose symbol or id begins as asked, or that overlap a place."""
    return json(names.gene_names(catalogue, query))


@router.get("/peaks", response_model=PeakNames)
def get_peaks(catalogue: Served, query: Annotated[NamesQuery, Query()]) -> Response:
    """Peaks whose name begins as asked, or that overlap a place."""
    return json(names.peak_names(catalogue, query))


@router.get("/celltypes/{cell_type:path}/map", response_model=RegulatoryMap)
def get_map(catalogue: Served, cell_type: str, query: Annotated[MapQuery, Query()]) -> Response:
    """Regulatory map of one cell type: pairs of gene and peak with the number of cells that link them."""
    return json(maps.regulatory_map(catalogue, cell_type, query, MAX_ROWS))


@router.get("/celltypes/{cell_type:path}/map.csv", response_class=StreamingResponse, responses=CSV)
def get_map_csv(catalogue: Served, cell_type: str, query: Annotated[MapQuery, Query()]) -> Response:
    """The same pairs as CSV, all of them unless there is a limit."""
    chosen = maps.map_slice(catalogue, cell_type, query)
    name = exports.attachment("bi2scope", "map", chosen.cell_type, query.gene, query.peak, query.region)
    return csv(exports.map_csv(catalogue, chosen, query), name)
