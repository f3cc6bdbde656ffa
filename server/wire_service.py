"""Bodies about the service itself rather than about one store."""

from __future__ import annotations

from pydantic import Field

from bi2scope.server.wire import Wire


class StoreSummary(Wire):
    """One store that is served."""

    slug: str = Field(description="Its name in addresses: /api/v1/stores/{slug}/...")
    name: str = Field(description="Name of the data set")
    default: bool = Field(description="Whether /api/v1/... without a store answers from it")
    n_cells: int
    readable: bool = Field(description="Whether it can be read now")
    message: str = Field(description="Why it cannot; empty when it can")


class StoreList(Wire):
    """The stores that are served, the default first."""

    stores: list[StoreSummary]


class Versions(Wire):
    """What runs."""

    program: str
    store_format: int = Field(description="Version of the format of stores that is read")
    python: str
    libraries: dict[str, str]
