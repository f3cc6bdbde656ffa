"""Addresses of the service itself rather than of one store."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from bi2scope.data.errors import StoreError
from bi2scope.server.answers import REFUSALS, json
from bi2scope.server.stores import ServedStore, Stores
from bi2scope.server.wire_service import StoreList, StoreSummary

router = APIRouter(responses=REFUSALS)


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
