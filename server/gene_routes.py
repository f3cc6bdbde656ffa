"""Addresses of genes and peaks: names to choose from, and links beyond a single cell's table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from bi2scope.server import names
from bi2scope.server.answers import Served, json
from bi2scope.server.params import NamesQuery
from bi2scope.server.wire_genes import GeneNames, PeakNames

router = APIRouter()


@router.get("/genes", response_model=GeneNames)
def get_genes(catalogue: Served, query: Annotated[NamesQuery, Query()]) -> Response:
    """Genes whose symbol or id begins as asked, or that overlap a place."""
    return json(names.gene_names(catalogue, query))


@router.get("/peaks", response_model=PeakNames)
def get_peaks(catalogue: Served, query: Annotated[NamesQuery, Query()]) -> Response:
    """Peaks whose name begins as asked, or that overlap a place."""
    return json(names.peak_names(catalogue, query))
