"""Addresses of TF-binding tracks: the tracks that are held, one beside a cell type, tables of types by tracks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from bi2scope.server import celltypes, exports, tf_answers, uploads
from bi2scope.server.answers import CSV, TOO_LARGE, Compared, csv, json
from bi2scope.server.params import HeldTrackQuery, MatrixQuery, TrackQuery
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
    name, bed = await uploads.read_upload(request, request.app.state.settings.max_upload_bytes)
    return await run_in_threadpool(lambda: json(shelf_of(request).add(name, bed)))


@router.delete("/tracks/{track_id}", response_model=TrackInfo)
def delete_track(request: Request, track_id: TrackId) -> Response:
    """Forget an uploaded track."""
    return json(shelf_of(request).remove(track_id))


@router.get("/celltypes/{cell_type:path}/tf", response_model=TrackComparison)
def get_comparison(
    request: Request, comparisons: Compared, cell_type: str, query: Annotated[HeldTrackQuery, Query()]
) -> Response:
    """A track that the service holds beside the cumulative scores of one cell type."""
    held = shelf_of(request).get(query.track)
    return json(tf_answers.compare_track(comparisons, cell_type, query, held))


@router.get("/celltypes/{cell_type:path}/tf.csv", response_class=StreamingResponse, responses=CSV)
def get_comparison_csv(
    request: Request, comparisons: Compared, cell_type: str, query: Annotated[HeldTrackQuery, Query()]
) -> Response:
    """The same comparison as CSV."""
    return comparison_csv(comparisons, cell_type, query, shelf_of(request).get(query.track), None)


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
    return await run_in_threadpool(
        lambda: json(tf_answers.compare_track(comparisons, cell_type, query, held, blacklist))
    )


@router.post(
    "/celltypes/{cell_type:path}/tf.csv",
    response_class=StreamingResponse,
    responses={**CSV, **TOO_LARGE},
    openapi_extra=uploads.FORM_WITH_BLACKLIST,
)
async def post_track_csv(
    request: Request, comparisons: Compared, cell_type: str, query: Annotated[TrackQuery, Query()]
) -> Response:
    """The same comparison as CSV: every peak with the track's signal, its cumulative scores and accessibility."""
    held, blacklist = await uploaded(request)
    return await run_in_threadpool(lambda: comparison_csv(comparisons, cell_type, query, held, blacklist))


@router.get("/tf/matrix", response_model=TrackMatrix)
def get_matrix(request: Request, comparisons: Compared, query: Annotated[MatrixQuery, Query()]) -> Response:
    """One measure of the tracks that the service holds in the cell types, with false discovery rates."""
    return json(tf_answers.track_matrix(comparisons, shelf_of(request), query))


@router.get("/tf/matrix.csv", response_class=StreamingResponse, responses=CSV)
def get_matrix_csv(request: Request, comparisons: Compared, query: Annotated[MatrixQuery, Query()]) -> Response:
    """The same table as CSV, a row for each cell type and track."""
    matrix = tf_answers.track_matrix(comparisons, shelf_of(request), query)
    name = exports.attachment("bi2scope", "tf", "matrix", matrix.measure)
    return csv(exports.matrix_csv(comparisons.catalogue.reader, matrix), name)


async def uploaded(request: Request) -> tuple[HeldTrack, HeldTrack | None]:
    """Track and blacklist of a form."""
    files = await uploads.read_uploads(request, request.app.state.settings.max_upload_bytes, ("blacklist",))
    blacklist = files.get("blacklist")
    return HeldTrack.of(*files["file"]), HeldTrack.of(*blacklist) if blacklist else None


def comparison_csv(
    comparisons: Comparisons, cell_type: str, query: TrackQuery, held: HeldTrack, blacklist: HeldTrack | None
) -> Response:
    """One comparison as a CSV file."""
    comparison = tf_answers.compare_track(comparisons, cell_type, query, held, blacklist)
    scores = celltypes.peak_scores(comparisons.catalogue, cell_type, query)
    named = exports.attachment("bi2scope", "tf", scores.cell_type, held.name)
    return csv(exports.track_csv(comparisons.catalogue.reader, scores, comparison), named)
