"""Addresses of several cells: the neighbours of one, and cells chosen one by one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from bi2scope.server.answers import CSV, TOO_LARGE, Leased, Served, csv, json
from bi2scope.server.chosen import CHOSEN, chosen_csv, scores_of_cells
from bi2scope.server.difference_routes import Between
from bi2scope.server.differences import Differences, Groups, difference_csv
from bi2scope.server.exports import attachment
from bi2scope.server.json_body import body_of, described
from bi2scope.server.neighbours import Neighbourhoods
from bi2scope.server.params import MAX_ROWS, ChosenCells, ChosenDifference, NeighboursQuery
from bi2scope.server.validators import Tagged
from bi2scope.server.wire import PeakScores
from bi2scope.server.wire_cells import Neighbours
from bi2scope.server.wire_differences import GeneDifference, PeakDifference

router = APIRouter()
SCORES, DIFFERENCE = described(ChosenCells), described(ChosenDifference)


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


@router.post("/cells/scores", response_model=PeakScores, responses=TOO_LARGE, openapi_extra=SCORES)
async def post_scores(request: Request, catalogue: Served) -> Response:
    """Cumulative scores of every peak over any cells."""
    asked = await body_of(request, ChosenCells)
    return await run_in_threadpool(lambda: json(scores_of_cells(catalogue, asked.cells, asked)))


@router.post(
    "/cells/scores.csv", response_class=StreamingResponse, responses={**CSV, **TOO_LARGE}, openapi_extra=SCORES
)
async def post_scores_csv(request: Request, catalogue: Served) -> Response:
    """The same scores as CSV, with accessibility, lift and rank."""
    asked = await body_of(request, ChosenCells)
    scores = await run_in_threadpool(scores_of_cells, catalogue, asked.cells, asked)
    return csv(chosen_csv(catalogue, scores), attachment("bi2scope", "peaks", CHOSEN))


@router.post("/cells/difference/peaks", response_model=PeakDifference, responses=TOO_LARGE, openapi_extra=DIFFERENCE)
async def post_peak_difference(request: Request, differences: Between) -> Response:
    """Which peaks' sums differ between any cells and all others, or between two sets of cells; by p."""
    asked = await body_of(request, ChosenDifference)
    return await run_in_threadpool(lambda: json(differences.peaks(sets_of(differences, asked), asked, MAX_ROWS)))


@router.post("/cells/difference/genes", response_model=GeneDifference, responses=TOO_LARGE, openapi_extra=DIFFERENCE)
async def post_gene_difference(request: Request, differences: Between) -> Response:
    """Which genes' rows differ between any cells and all others, or between two sets of cells; by p."""
    asked = await body_of(request, ChosenDifference)
    return await run_in_threadpool(lambda: json(differences.genes(sets_of(differences, asked), asked, MAX_ROWS)))


@router.post(
    "/cells/difference/peaks.csv",
    response_class=StreamingResponse,
    responses={**CSV, **TOO_LARGE},
    openapi_extra=DIFFERENCE,
)
async def post_peak_difference_csv(request: Request, differences: Between) -> Response:
    """The same peaks as CSV."""
    asked = await body_of(request, ChosenDifference)
    body = await run_in_threadpool(lambda: differences.peaks(sets_of(differences, asked), asked, None))
    return csv(difference_csv(differences.catalogue, body), attachment("bi2scope", "difference", "peaks", CHOSEN))


@router.post(
    "/cells/difference/genes.csv",
    response_class=StreamingResponse,
    responses={**CSV, **TOO_LARGE},
    openapi_extra=DIFFERENCE,
)
async def post_gene_difference_csv(request: Request, differences: Between) -> Response:
    """The same genes as CSV."""
    asked = await body_of(request, ChosenDifference)
    body = await run_in_threadpool(lambda: differences.genes(sets_of(differences, asked), asked, None))
    return csv(difference_csv(differences.catalogue, body), attachment("bi2scope", "difference", "genes", CHOSEN))
