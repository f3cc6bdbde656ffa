"""Addresses of differences of cell types."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bi2scope.server.answers import Leased
from bi2scope.server.differences import Differences, Groups, difference_table
from bi2scope.server.params import DifferenceQuery
from bi2scope.server.tabular import Answer, table_routes
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


@table_routes(router, "/celltypes/{cell_type:path}/difference/peaks", PeakDifference)
def get_peak_difference(differences: Between, cell_type: str, query: Asked, most: int | None) -> Answer:
    """Which peaks' sums differ between the cells of two types, or of a type and all others; by p."""
    groups = types_of(differences, cell_type, query)
    return difference_table(differences.catalogue, differences.peaks(groups, query, most))


@table_routes(router, "/celltypes/{cell_type:path}/difference/genes", GeneDifference)
def get_gene_difference(differences: Between, cell_type: str, query: Asked, most: int | None) -> Answer:
    """Which genes' rows differ between the cells of two types, or of a type and all others; by p."""
    groups = types_of(differences, cell_type, query)
    return difference_table(differences.catalogue, differences.genes(groups, query, most))
