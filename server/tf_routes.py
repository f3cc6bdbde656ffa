"""Addresses of TF-binding tracks: the tracks that are held, one beside a cell type, tables of types by tracks."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.exchange.selection import Table
from bi2scope.server import celltypes, tf_answers, tf_tables, uploads
from bi2scope.server.answers import CSV, TOO_LARGE, Compared, json
from bi2scope.server.params import HeldTrackQuery, MatrixQuery, TrackQuery
from bi2scope.server.tabular import Answer, answered, chosen_columns, table_routes
from bi2scope.server.tf import Comparisons
from bi2scope.server.tracks import MOST_UPLOADS, HeldTrack, TrackShelf
from bi2scope.server.wire_tf import TrackComparison, TrackInfo, TrackList, TrackMatrix

router = APIRouter()

TrackId = Annotated[str, Path(max_length=16, description="The track_id of an uploaded track")]


def shelf_of(request: Request) -> TrackShelf:
    """The tracks that this application holds."""
    shelf: TrackShelf = request.app.state.tracks
    return shelf


@router.get("/tracks", response_model=TrackList)
def get_tracks(request: Request, comparisons: Compared) -> Response:
    """The tracks that the service holds: those of the folder given at the start, then uploads."""
    blacklist = comparisons.blacklist
    return json(
        TrackList(
            tracks=shelf_of(request).infos(),
            most_uploads=MOST_UPLOADS,
            blacklist=None if blacklist is None else blacklist.name,
        )
    )


@router.post("/tracks", response_model=TrackInfo, responses=TOO_LARGE, openapi_extra=uploads.FORM)
async def post_tracks(request: Request) -> Response:
    """Keep an uploaded BED file in memory, until it is deleted or the service stops."""
    workers = request.app.state.settings.workers
    if workers > 1:
        raise ConfigurationError(
            f"This service runs {workers} processes, and an upload would be kept by one of them alone.",
            "Put the file into the folder of --tracks, send it with each comparison, or serve with --workers 1.",
        )
    name, bed = (await uploads.read_uploads(request))["file"]
    return await run_in_threadpool(lambda: json(shelf_of(request).add(name, bed)))


@router.delete("/tracks/{track_id}", response_model=TrackInfo)
def delete_track(request: Request, track_id: TrackId) -> Response:
    """Forget an uploaded track."""
    return json(shelf_of(request).remove(track_id))


@table_routes(router, "/celltypes/{cell_type:path}/tf", TrackComparison)
def get_comparison(
    request: Request,
    comparisons: Compared,
    cell_type: str,
    query: Annotated[HeldTrackQuery, Query()],
    most: int | None,
) -> Answer:
    """A track that the service holds beside the cumulative scores of one cell type, for every peak."""
    return comparison_answer(comparisons, cell_type, query, shelf_of(request).get(query.track), None)


@router.post(
    "/celltypes/{cell_type:path}/tf",
    response_model=TrackComparison,
    responses=TOO_LARGE,
    openapi_extra=uploads.FORM_WITH_BLACKLIST,
)
async def post_track(
    request: Request, comparisons: Compared, cell_type: str, query: Annotated[TrackQuery, Query()]
) -> Response:
    """An uploaded BED file beside the cumulative scores of one cell type; the file is not kept."""
    held, blacklist = await uploaded(request)
    chosen = chosen_columns("json", query.columns)
    return await run_in_threadpool(
        lambda: answered(comparison_answer(comparisons, cell_type, query, held, blacklist), "json", chosen)
    )


@router.post(
    "/celltypes/{cell_type:path}/tf.{ending}",
    response_class=Response,
    responses={**CSV, **TOO_LARGE},
    openapi_extra=uploads.FORM_WITH_BLACKLIST,
)
async def post_track_as(
    request: Request,
    comparisons: Compared,
    cell_type: str,
    ending: Literal["csv", "arrow"],
    query: Annotated[TrackQuery, Query()],
) -> Response:
    """The same comparison as CSV or Arrow: every peak with the track's signal, cumulative scores and accessibility."""
    held, blacklist = await uploaded(request)
    chosen = chosen_columns(ending, query.columns)
    return await run_in_threadpool(
        lambda: answered(comparison_answer(comparisons, cell_type, query, held, blacklist), ending, chosen)
    )


@table_routes(router, "/tf/matrix", TrackMatrix)
def get_matrix(
    request: Request, comparisons: Compared, query: Annotated[MatrixQuery, Query()], most: int | None
) -> Answer:
    """One measure of the tracks that the service holds in the cell types, with false discovery rates."""
    matrix = tf_answers.track_matrix(comparisons, shelf_of(request), query)
    return Answer(
        lambda: matrix,
        lambda: tf_tables.matrix_table(comparisons.catalogue, matrix),
        ("bi2scope", "tf", "matrix", matrix.measure),
    )


async def uploaded(request: Request) -> tuple[HeldTrack, HeldTrack | None]:
    """Track and blacklist of a form."""
    files = await uploads.read_uploads(request, ("blacklist",))
    blacklist = files.get("blacklist")
    return HeldTrack.of(*files["file"]), HeldTrack.of(*blacklist) if blacklist else None


def comparison_answer(
    comparisons: Comparisons, cell_type: str, query: TrackQuery, held: HeldTrack, blacklist: HeldTrack | None
) -> Answer:
    """One comparison, in any of the formats of a table."""
    comparison = tf_answers.compare_track(comparisons, cell_type, query, held, blacklist)

    def table() -> Table:
        scores = celltypes.peak_scores(comparisons.catalogue, cell_type, query)
        return tf_tables.track_table(comparisons.catalogue, query, scores, comparison)

    return Answer(lambda: comparison, table, ("bi2scope", "tf", comparison.cell_type, held.name))
