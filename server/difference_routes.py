"""Addresses of differences of cell types."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from bi2scope.server.answers import CSV, Leased, csv, json
from bi2scope.server.differences import Differences, Groups, difference_csv
from bi2scope.server.exports import attachment
from bi2scope.server.params import MAX_ROWS, DifferenceQuery
from bi2scope.server.validators import Tagged
from bi2scope.server.wire_differences import GeneDifference, PeakDifference

router = APIRouter()


async def _differences(opened: Leased, _: Tagged) -> Differences:
    return opened.differences


Between = Annotated[Differences, Depends(_differences)]
Asked = Annotated[DifferenceQuery, Query()]


def types_of(differences: Differences, cell_type: str, query: DifferenceQuery) -> Groups:
    """The cells of the types that were asked for."""
    return Groups.of_types(differences.catalogue, cell_type, query.against)


@router.get("/celltypes/{cell_type:path}/difference/peaks", response_model=PeakDifference)
def get_peak_difference(differences: Between, cell_type: str, query: Asked) -> Response:
    """Which peaks' sums differ between the cells of two types, or of a type and all others; by p."""
    return json(differences.peaks(types_of(differences, cell_type, query), query, MAX_ROWS))


@router.get("/celltypes/{cell_type:path}/difference/genes", response_model=GeneDifference)
def get_gene_difference(differences: Between, cell_type: str, query: Asked) -> Response:
    """Which genes' rows differ between the cells of two types, or of a type and all others; by p."""
    return json(differences.genes(types_of(differences, cell_type, query), query, MAX_ROWS))


@router.get("/celltypes/{cell_type:path}/difference/peaks.csv", response_class=StreamingResponse, responses=CSV)
def get_peak_difference_csv(differences: Between, cell_type: str, query: Asked) -> Response:
    """The same peaks as CSV."""
    body = differences.peaks(types_of(differences, cell_type, query), query, None)
    name = attachment("bi2scope", "difference", "peaks", body.cell_type, body.against or "others")
    return csv(difference_csv(differences.catalogue, body), name)


@router.get("/celltypes/{cell_type:path}/difference/genes.csv", response_class=StreamingResponse, responses=CSV)
def get_gene_difference_csv(differences: Between, cell_type: str, query: Asked) -> Response:
    """The same genes as CSV."""
    body = differences.genes(types_of(differences, cell_type, query), query, None)
    name = attachment("bi2scope", "difference", "genes", body.cell_type, body.against or "others")
    return csv(difference_csv(differences.catalogue, body), name)
