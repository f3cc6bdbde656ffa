"""The service: ``create_app(settings, stores)``. Routes take the request apart, call one function, and answer.

Handlers are plain functions, so they run in threads and never hold up the event loop; the one that reads an upload
is asynchronous and hands the work to a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from bi2scope.server import (
    cell_links,
    cells,
    cells_routes,
    celltypes,
    difference_routes,
    errors,
    gene_routes,
    profile,
    reference,
    service_routes,
    tf_routes,
    validators,
)
from bi2scope.server.answers import REFUSALS, Served, json, named_store
from bi2scope.server.dataset import dataset_info, program_version
from bi2scope.server.direct import Table, direct_tables
from bi2scope.server.heatmap import heatmap
from bi2scope.server.metrics import Metrics
from bi2scope.server.params import CellsQuery, CutQuery, HeatmapQuery, LinksQuery, ScoresQuery, TableQuery
from bi2scope.server.settings import Settings
from bi2scope.server.slugs import slug_of
from bi2scope.server.stores import Stores
from bi2scope.server.tabular import PAIRS, TABLES, Answer, table_routes
from bi2scope.server.tracks import TrackShelf, regions_of
from bi2scope.server.validators import Tagged
from bi2scope.server.wire import (
    CellPage,
    DatasetInfo,
    Embedding,
    Health,
    Heatmap,
    LinkTable,
    PeakScores,
)
from bi2scope.server.wire_profile import LinkProfile

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader

API = f"{errors.API}/v1"
ONE_STORE = f"{API}/stores/{{store}}"
HEAD_START = 0.2
"""Seconds that who waits for the service has before it warms up: two threads take turns at the interpreter's lock."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def create_app(settings: Settings, stores: StoreReader | Mapping[str, StoreReader]) -> FastAPI:
    """The service over one open store, or over several by their slugs, the default first.

    Whoever opened a store closes it after the service has stopped; what the service opened in the place of a file that
    was replaced, it closes itself.
    """
    readers = stores if isinstance(stores, Mapping) else {slug_of(stores.attributes.name, stores.path): stores}
    served = Stores(readers, regions_of(settings.blacklist))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm_up(api, served))  # what is compiled takes most of a second to load
        yield
        await asyncio.wait([warming])
        await run_in_threadpool(served.close)

    api = FastAPI(
        title="bi2scope",
        summary="Attention between genes and ATAC peaks, cell by cell",
        description="Tables travel as columns. Coordinates are 0-based, half-open. An error has an ErrorBody.",
        version=program_version(),
        docs_url=None,  # FastAPI's own pages load their scripts from a public host
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        generate_unique_id_function=operation_id,
        lifespan=lifespan,
    )
    api.state.stores, api.state.settings, api.state.tracks = served, settings, TrackShelf(settings.tracks)
    api.state.metrics = Metrics(served)
    validators.install(api)
    errors.install(api)
    api.router.routes += direct_tables((API, ONE_STORE), AT_EVERY_MOVE)
    for each in (at_the_door, router):
        api.include_router(each, prefix=API)
        api.include_router(each, prefix=ONE_STORE, dependencies=[Depends(named_store)])
    api.include_router(service_routes.router, prefix=API)
    reference.install(api, f"{API}/docs")
    refuse_the_rest(api)
    return api


async def _warm_up(api: FastAPI, served: Stores) -> None:
    await asyncio.sleep(HEAD_START)
    _prepare_routes(api)  # FastAPI quiets warnings meanwhile, which two threads cannot do at once
    for store in served:
        async with store.lease() as opened:
            await run_in_threadpool(opened.catalogue.warm_up)


def _prepare_routes(api: FastAPI) -> None:
    """Let every router put its routes together now; it would at the first request that none of those before takes."""
    scope = {"type": "http", "method": "GET", "path": errors.API, "path_params": {}, "headers": [], "app": api}
    for route in api.routes:
        route.matches(dict(scope))


def operation_id(route: APIRoute) -> str:
    """Name of an operation in the description: that of its function, and whether the address names a store."""
    return f"{route.name}_of_store" if route.path_format.startswith(ONE_STORE) else route.name


at_the_door, router = APIRouter(responses=REFUSALS), APIRouter(responses=REFUSALS)
# a router puts all of its routes together at the first request that reaches it: health need not wait for them


@at_the_door.get("/health", response_model=Health)
def get_health(catalogue: Served) -> Response:
    """Whether the service is up and its store can be read."""
    catalogue.probe()
    return json(Health(version=program_version()))


@router.get("/dataset", response_model=DatasetInfo)
def get_dataset(catalogue: Tagged) -> Response:
    """The data set, the model and the store."""
    return json(dataset_info(catalogue))


@table_routes(router, "/cells", CellPage)
def get_cells(catalogue: Tagged, query: Annotated[CellsQuery, Query()], most: int | None) -> Answer:
    """A page of the cells, in the order of the data set."""
    return cells.cell_page(catalogue, query, most)


@table_routes(router, "/embedding", Embedding)
def get_embedding(catalogue: Tagged, query: Annotated[TableQuery, Query()], most: int | None) -> Answer:
    """Two-dimensional embedding of every cell."""
    return cells.embedding(catalogue)


@table_routes(router, "/cells/{cell_id:path}/links", LinkTable, PAIRS)
def get_links(catalogue: Tagged, cell_id: str, query: Annotated[LinksQuery, Query()], most: int | None) -> Answer:
    """Links of one cell that survive threshold and k, by gene and then by rank."""
    return cell_links.link_table(catalogue, cell_id, query, most)


@table_routes(router, "/cells/{cell_id:path}/heatmap", Heatmap)
def get_heatmap(catalogue: Tagged, cell_id: str, query: Annotated[HeatmapQuery, Query()], most: int | None) -> Answer:
    """Genes x peaks of one cell, or of a window of it, binned to at most the size asked."""
    return heatmap(catalogue, cell_id, query)


@router.get("/cells/{cell_id:path}/profile", response_model=LinkProfile)
def get_cell_profile(catalogue: Tagged, cell_id: str, query: Annotated[CutQuery, Query()]) -> Response:
    """What threshold and k leave of one cell's links: how many, of how many genes, how far away."""
    return json(profile.cell_profile(catalogue, cell_id, query))


@router.get("/celltypes/{cell_type:path}/profile", response_model=LinkProfile)
def get_type_profile(catalogue: Tagged, cell_type: str, query: Annotated[CutQuery, Query()]) -> Response:
    """The same over all cells of a type, beside the control models of the store."""
    return json(profile.type_profile(catalogue, cell_type, query))


@table_routes(router, "/celltypes/{cell_type:path}/scores", PeakScores)
def get_scores(catalogue: Tagged, cell_type: str, query: Annotated[ScoresQuery, Query()], most: int | None) -> Answer:
    """Cumulative scores of every peak in one cell type, of the model or of a control model."""
    return celltypes.score_table(catalogue, cell_type, query)


AT_EVERY_MOVE = (
    Table("/cells/{cell_id:path}/links", get_links, PAIRS, brief=("arrow",), at_hand=cell_links.is_at_hand),
    Table("/cells/{cell_id:path}/heatmap", get_heatmap, TABLES),
    Table("/celltypes/{cell_type:path}/scores", get_scores, TABLES),
)
"""Tables that a slider asks for."""

router.include_router(tf_routes.router)
router.include_router(gene_routes.router)
router.include_router(difference_routes.router)
router.include_router(cells_routes.router)


def refuse_the_rest(api: FastAPI) -> None:
    """Refuse what no route takes, so that no screen's catch-all ever answers below ``/api``."""
    known = list(api.routes)

    def takes(scope: Scope, method: str) -> bool:
        asked = {**scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in known)

    def no_such_address(request: Request) -> Response:
        taken = [method for method in METHODS if takes(request.scope, method)]
        if taken:
            allow = {"Allow": ", ".join(taken)}
            raise HTTPException(405, f"{request.url.path} does not take {request.method}.", allow)
        raise HTTPException(404, f"There is nothing at {request.url.path}; {API}/openapi.json describes what there is.")

    for path in (errors.API, f"{errors.API}/{{rest:path}}"):
        api.add_api_route(path, no_such_address, methods=METHODS, include_in_schema=False)
