"""Addresses of genes and peaks: names to choose from, and links beyond a single cell's table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from bi2scope.server import exports, gene_links, maps, names, why
from bi2scope.server.answers import CSV, Served, csv, json
from bi2scope.server.params import MAX_ROWS, GeneLinksQuery, MapQuery, NamesQuery, WhyQuery
from bi2scope.server.wire_genes import GeneLinks, GeneNames, PeakNames, RegulatoryMap, Why

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


@router.get("/celltypes/{cell_type:path}/genes/{gene:path}/links", response_model=GeneLinks)
def get_gene_links(catalogue: Served, cell_type: str, gene: str, query: Annotated[GeneLinksQuery, Query()]) -> Response:
    """Links of one gene in every cell of a type, by cell and then by rank."""
    return json(gene_links.gene_links(catalogue, cell_type, gene, query, MAX_ROWS))


@router.get("/celltypes/{cell_type:path}/genes/{gene:path}/links.csv", response_class=StreamingResponse, responses=CSV)
def get_gene_links_csv(
    catalogue: Served, cell_type: str, gene: str, query: Annotated[GeneLinksQuery, Query()]
) -> Response:
    """The same links as CSV, all of them unless there is a limit."""
    table = gene_links.gene_links(catalogue, cell_type, gene, query, None)
    name = exports.attachment("bi2scope", "links", table.cell_type, table.gene)
    return csv(exports.gene_links_csv(catalogue.reader, table), name)


@router.get("/cells/{cell_id:path}/why", response_model=Why)
def get_why(catalogue: Served, cell_id: str, query: Annotated[WhyQuery, Query()]) -> Response:
    """Why a gene attends to a peak in one cell: the terms of the logit, and the peaks beside it in the row."""
    return json(why.why(catalogue, cell_id, query))
