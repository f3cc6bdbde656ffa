"""Addresses of the service itself rather than of one store."""

from __future__ import annotations

import platform
from importlib.metadata import version

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from bi2scope.data.errors import StoreError
from bi2scope.data.store.schema import FORMAT_VERSION
from bi2scope.server.answers import REFUSALS, Responses, json
from bi2scope.server.dataset import program_version
from bi2scope.server.metrics import Metrics
from bi2scope.server.stores import ServedStore, Stores
from bi2scope.server.wire_service import StoreList, StoreSummary, Versions

router = APIRouter(responses=REFUSALS)

LIBRARIES = ("h5py", "hdf5plugin", "numpy", "pandas", "scipy", "pydantic", "fastapi", "starlette", "uvicorn")
TEXT: Responses = {200: {"content": {"text/plain": {}}, "description": "Prometheus' text format"}}


@router.get("/version", response_model=Versions)
async def get_version() -> Response:
    """What runs: the program, the format of stores that it reads, Python and the libraries."""
    return json(
        Versions(
            program=program_version(),
            store_format=FORMAT_VERSION,
            python=platform.python_version(),
            libraries={name: version(name) for name in LIBRARIES},
        )
    )


@router.get("/metrics", response_class=PlainTextResponse, responses=TEXT)
async def get_metrics(request: Request) -> Response:
    """Numbers about the service in the text format of Prometheus, of the process that answers."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/stores", response_model=StoreList)
async def get_stores(request: Request) -> Response:
    """The stores that are served, the default first; their slugs name them in addresses."""
    stores: Stores = request.app.state.stores
    return json(StoreList(stores=[await summary(store, store is stores.default) for store in stores]))


async def summary(store: ServedStore, default: bool) -> StoreSummary:
    """One store, and whether its file can be read now."""
    message = ""
    try:
        async with store.lease():
            pass
    except StoreError as error:
        message = error.message.replace(str(store.path), store.path.name)
    return StoreSummary(
        slug=store.slug,
        name=store.name,
        default=default,
        n_cells=store.n_cells,
        readable=not message,
        message=message,
    )
