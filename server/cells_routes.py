"""Addresses of several cells: the neighbours of one, and cells chosen one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bi2scope.server.answers import TOO_LARGE, Leased, Responses, Served, json
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.chosen import chosen_table
from bi2scope.server.difference_routes import Between
from bi2scope.server.differences import Differences, Groups, difference_table
from bi2scope.server.json_body import Model, body_of, described
from bi2scope.server.neighbours import Neighbourhoods
from bi2scope.server.params import ChosenCells, ChosenDifference, NeighboursQuery
from bi2scope.server.tabular import FORMS, TABLES, Answer, answered
from bi2scope.server.validators import Tagged
from bi2scope.server.wire import PeakScores
from bi2scope.server.wire_cells import Neighbours
from bi2scope.server.wire_differences import GeneDifference, PeakDifference

router = APIRouter()
SCORES, DIFFERENCE = described(ChosenCells), described(ChosenDifference)

Ending = Annotated[Literal["json", "csv", "arrow"], Path(description="The format")]
AS: Responses = {
    **TOO_LARGE,
    200: {
        "content": {FORMS[ending].media_type.partition(";")[0]: {} for ending in TABLES},
        "description": "; ".join(f"{ending}: {FORMS[ending].says}" for ending in TABLES),
    },
}


async def _neighbourhoods(opened: Leased, _: Tagged) -> Neighbourhoods:
    return opened.neighbourhoods


Near = Annotated[Neighbourhoods, Depends(_neighbourhoods)]


def sets_of(differences: Differences, asked: ChosenDifference) -> Groups:
    """The cells that were asked for."""
    return Groups.of_cells(differences.catalogue, asked.cells, asked.against_cells)


@router.get("/cells/{cell_id:path}/neighbours", response_model=Neighbours)
def get_neighbours(near: Near, cell_id: str, query: Annotated[NeighboursQuery, Query()]) -> Response:
    """The nearest cells of one cell, in the embedding or in what the model makes of cells."""
    return json(near.of(cell_id, query))


Work = Callable[[Any, int | None], Answer]
"""From what was asked for and the most rows to the answer."""


async def answer_to(request: Request, model: type[Model], work: Work, ending: str = "json") -> Response:
    """What a body asks for, worked out in a thread."""
    asked, most = await body_of(request, model), FORMS[ending].most
    return await run_in_threadpool(lambda: answered(work(asked, most), ending, None))


def of_scores(catalogue: Catalogue) -> Work:
    """Cumulative scores."""
    return lambda asked, most: chosen_table(catalogue, asked)


def of_peaks(differences: Differences) -> Work:
    """A difference by peak."""
    return lambda asked, most: difference_table(
        differences.catalogue, differences.peaks(sets_of(differences, asked), asked, most)
    )


def of_genes(differences: Differences) -> Work:
    """A difference by gene."""
    return lambda asked, most: difference_table(
        differences.catalogue, differences.genes(sets_of(differences, asked), asked, most)
    )


@router.post("/cells/scores", response_model=PeakScores, responses=TOO_LARGE, openapi_extra=SCORES)
async def post_scores(request: Request, catalogue: Served) -> Response:
    """Cumulative scores of every peak over any cells."""
    return await answer_to(request, ChosenCells, of_scores(catalogue))


@router.post("/cells/scores.{ending}", response_class=Response, responses=AS, openapi_extra=SCORES)
async def post_scores_as(request: Request, catalogue: Served, ending: Ending) -> Response:
    """The same in a format; files add accessibility, lift and rank."""
    return await answer_to(request, ChosenCells, of_scores(catalogue), ending)


@router.post("/cells/difference/peaks", response_model=PeakDifference, responses=TOO_LARGE, openapi_extra=DIFFERENCE)
async def post_peak_difference(request: Request, differences: Between) -> Response:
    """Which peaks' sums differ between any cells and all others, or between two sets of cells; by p."""
    return await answer_to(request, ChosenDifference, of_peaks(differences))


@router.post("/cells/difference/peaks.{ending}", response_class=Response, responses=AS, openapi_extra=DIFFERENCE)
async def post_peak_difference_as(request: Request, differences: Between, ending: Ending) -> Response:
    """The same peaks in a format."""
    return await answer_to(request, ChosenDifference, of_peaks(differences), ending)


@router.post("/cells/difference/genes", response_model=GeneDifference, responses=TOO_LARGE, openapi_extra=DIFFERENCE)
async def post_gene_difference(request: Request, differences: Between) -> Response:
    """Which genes' rows differ between any cells and all others, or between two sets of cells; by p."""
    return await answer_to(request, ChosenDifference, of_genes(differences))


@router.post("/cells/difference/genes.{ending}", response_class=Response, responses=AS, openapi_extra=DIFFERENCE)
async def post_gene_difference_as(request: Request, differences: Between, ending: Ending) -> Response:
    """The same genes in a format."""
    return await answer_to(request, ChosenDifference, of_genes(differences), ending)
