"""The API as the dashboard sees it: typed, asynchronous, in one process or over HTTP.

Everything on the screen comes through here as a model of :mod:`bi2scope.server.wire`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError
from starlette.types import ASGIApp

from bi2scope.server.wire import (
    CellPage,
    DatasetInfo,
    Definition,
    Embedding,
    ErrorBody,
    Heatmap,
    LinkTable,
    PeakScores,
    Wire,
)
from bi2scope.server.wire_differences import GeneDifference, PeakDifference
from bi2scope.server.wire_genes import (
    GeneCounts,
    GeneNames,
    GenePeaks,
    PeakNames,
    Region,
    RegionLinks,
    RegionPairs,
    Why,
)
from bi2scope.server.wire_maps import TypeHeatmap
from bi2scope.server.wire_profile import LinkProfile
from bi2scope.server.wire_service import StoreList
from bi2scope.server.wire_tf import MeasureName, TrackComparison, TrackInfo, TrackList, TrackMatrix

API = "/api/v1"

STORE: ContextVar[str | None] = ContextVar("store", default=None)
"""Slug of the store that the page shows, while one of its questions is answered; ``None`` is the service's default."""

Body = TypeVar("Body", bound=Wire)


class ClientError(Exception):
    """The API did not give what was asked: its message and hint, fit for the screen."""

    def __init__(self, message: str, hint: str = "", *, kind: str = "ClientError") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Cut:
    """Which links are shown: score above ``threshold``, rank at most ``top_k`` (``None`` is off), of one head."""

    threshold: float = 0.5
    top_k: int | None = None
    layer: int = 0
    head: int = 0

    def parameters(self) -> dict[str, str | int | float]:
        """Query parameters of the API; ``top_k`` is left out when it is off."""
        named = {"threshold": self.threshold, "top_k": self.top_k, "layer": self.layer, "head": self.head}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a heatmap, in positions among the cell's own genes and peaks; half-open."""

    gene_start: int
    gene_stop: int
    peak_start: int
    peak_stop: int

    def parameters(self) -> dict[str, int]:
        """Query parameters of the API."""
        return {
            "gene_start": self.gene_start,
            "gene_stop": self.gene_stop,
            "peak_start": self.peak_start,
            "peak_stop": self.peak_stop,
        }


@dataclass(frozen=True, slots=True)
class BedFile:
    """A BED file of the reader's, sent with a question."""

    name: str
    content: bytes

    @property
    def sent(self) -> dict[str, Any]:
        """The form that carries it."""
        return {"files": {"file": (self.name, self.content)}}


def track_request(track: str | BedFile, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Method and parts of a question about a held track or a BED file."""
    if isinstance(track, BedFile):
        return "POST", {"params": parameters, **track.sent}
    return "GET", {"params": parameters | {"track": track}}


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a heatmap: at most so many bins across and down, over a window or all of it."""

    width: int
    height: int
    window: Window | None = None

    def parameters(self) -> dict[str, int]:
        """Query parameters of the API."""
        whole = {"width": self.width, "height": self.height}
        return whole | (self.window.parameters() if self.window else {})


class Client:
    """Asynchronous client of ``/api/v1``; make one with :meth:`of_app` or :meth:`of_address`.

    Parameters
    ----------
    http
        What sends the requests.
    store
        Slug of the store to ask; ``None`` for the service's default.
    """

    def __init__(self, http: httpx.AsyncClient, store: str | None = None) -> None:
        self._http = http
        self._store = store

    @classmethod
    def of_app(cls, app: ASGIApp, store: str | None = None) -> Self:
        """Client of an app in this process: no socket, and nothing compressed only to be inflated again."""
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        plain = {"Accept-Encoding": "identity"}
        return cls(
            httpx.AsyncClient(transport=transport, base_url="http://bi2scope", headers=plain, timeout=None), store
        )

    @classmethod
    def of_address(
        cls, address: str, store: str | None = None, *, token: str | None = None, timeout: float = 30.0
    ) -> Self:
        """Client of a service at ``address``, for instance ``http://127.0.0.1:8050``.

        Parameters
        ----------
        token
            What the service asks of every request, if anything.
        timeout
            Seconds.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return cls(httpx.AsyncClient(base_url=address.rstrip("/"), headers=headers, timeout=timeout), store)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def stores(self) -> StoreList:
        """The stores that the service holds."""
        return StoreList.model_validate_json((await self._answer("GET", f"{API}/stores")).content)

    async def dataset(self) -> DatasetInfo:
        """The data set, the model and the store."""
        return await self._get(DatasetInfo, "/dataset")

    async def cells(
        self,
        *,
        cell_type: str | None = None,
        prefix: str | None = None,
        offset: int = 0,
        limit: int = 100,
        quality: bool | None = None,
    ) -> CellPage:
        """A page of the cells, of one type or with one beginning of the barcode; ``quality`` adds all their numbers."""
        named = {"cell_type": cell_type, "prefix": prefix, "offset": offset, "limit": limit, "quality": quality}
        return await self._get(CellPage, "/cells", {key: value for key, value in named.items() if value is not None})

    async def gene_counts(self, gene: str) -> GeneCounts:
        """RNA counts of one gene in every cell, in the order of the data set."""
        return await self._get(GeneCounts, f"/genes/{quoted(gene)}/counts")

    async def chosen_scores(self, cells: Sequence[str], cut: Cut) -> PeakScores:
        """Cumulative scores of every peak over some cells."""
        return await self._ask(PeakScores, "POST", "/cells/scores", json={"cells": list(cells), **cut.parameters()})

    async def chosen_difference(self, cells: Sequence[str], cut: Cut, *, limit: int) -> PeakDifference:
        """The peaks of which some cells' sums differ from those of all others."""
        asked = {"cells": list(cells), "limit": limit, **cut.parameters()}
        return await self._ask(PeakDifference, "POST", "/cells/difference/peaks", json=asked)

    async def chosen_csv(self, cells: Sequence[str], cut: Cut) -> str:
        """All rows of :meth:`chosen_difference` as CSV."""
        path, asked = "/cells/difference/peaks.csv", {"cells": list(cells), **cut.parameters()}
        return (await self._answer("POST", api_root(self._store) + path, json=asked)).text

    async def embedding(self) -> Embedding:
        """Two-dimensional embedding of every cell."""
        return await self._get(Embedding, "/embedding")

    async def links(self, cell_id: str, cut: Cut, *, limit: int | None = None, gene: str | None = None) -> LinkTable:
        """Links of a cell, or of one gene in it; at most ``limit`` rows."""
        named = {"limit": limit, "gene": gene}
        parameters = cut.parameters() | {name: value for name, value in named.items() if value is not None}
        return await self._get(LinkTable, f"/cells/{quoted(cell_id)}/links", parameters)

    async def heatmap(self, cell_id: str, cut: Cut, sight: Sight, beside: str | None = None) -> Heatmap:
        """Genes by peaks of a cell, or a window of them; ``beside`` puts those of another cell on the axes too."""
        parameters = cut.parameters() | sight.parameters() | ({} if beside is None else {"beside": beside})
        return await self._get(Heatmap, f"/cells/{quoted(cell_id)}/heatmap", parameters)

    async def type_heatmap(self, cell_type: str, cell_id: str, cut: Cut, sight: Sight) -> TypeHeatmap:
        """The type's map over the axes of a cell; the cut's layer and head alone."""
        parameters = {"cell": cell_id, "layer": cut.layer, "head": cut.head} | sight.parameters()
        return await self._get(TypeHeatmap, f"/celltypes/{quoted(cell_type)}/heatmap", parameters)

    async def scores(self, cell_type: str, cut: Cut) -> PeakScores:
        """Cumulative scores of every peak in a cell type."""
        return await self._get(PeakScores, f"/celltypes/{quoted(cell_type)}/scores", cut.parameters())

    async def genes(self, query: str, *, limit: int = 20) -> GeneNames:
        """Genes whose symbol or id begins as asked, or that overlap a place."""
        return await self._get(GeneNames, "/genes", {"query": query, "limit": limit})

    async def peaks(self, query: str, *, limit: int = 20) -> PeakNames:
        """Peaks whose name begins as asked, or that overlap a place."""
        return await self._get(PeakNames, "/peaks", {"query": query, "limit": limit})

    async def difference(
        self, cell_type: str, feature: Literal["peaks", "genes"], cut: Cut, **contrast: str | int
    ) -> PeakDifference | GeneDifference:
        """The peaks, or genes, of which a cell type's sums differ from another's or (no ``against``) all others'."""
        body = PeakDifference if feature == "peaks" else GeneDifference
        return await self._get(
            body, f"/celltypes/{quoted(cell_type)}/difference/{feature}", cut.parameters() | contrast
        )

    async def gene_peaks(self, cell_type: str, gene: str, cut: Cut, *, limit: int) -> GenePeaks:
        """Peaks that a gene is linked to in a cell type, those in most cells first."""
        path = f"/celltypes/{quoted(cell_type)}/genes/{quoted(gene)}/peaks"
        return await self._get(GenePeaks, path, cut.parameters() | {"limit": limit})

    async def region_pairs(self, cell_type: str, region: str, cut: Cut, *, limit: int) -> RegionPairs:
        """Pairs of a cell type's map around a region, those in most cells first; the cut's layer and head alone."""
        parameters = {"region": region, "limit": limit, "layer": cut.layer, "head": cut.head}
        return await self._get(RegionPairs, f"/celltypes/{quoted(cell_type)}/strongest", parameters)

    async def region_links(self, cell_id: str, region: str, cut: Cut, *, limit: int) -> RegionLinks:
        """Links of one cell around a region, of highest logit first."""
        parameters = cut.parameters() | {"region": region, "limit": limit}
        return await self._get(RegionLinks, f"/cells/{quoted(cell_id)}/strongest", parameters)

    async def region(self, region: str, cut: Cut, *, bins: int, **over: str | list[str] | None) -> Region:
        """What lies in a region; ``cell_type`` and ``track`` (lists) and ``cell`` are laid over it."""
        given = {name: value for name, value in over.items() if value}
        return await self._get(Region, "/region", cut.parameters() | {"region": region, "bins": bins} | given)

    async def why(self, cell_id: str, gene: str, peak: str, cut: Cut) -> Why:
        """The terms of one link's logit, and its rivals; the cut's layer and head alone."""
        parameters = {"gene": gene, "peak": peak, "layer": cut.layer, "head": cut.head}
        return await self._get(Why, f"/cells/{quoted(cell_id)}/why", parameters)

    async def tracks(self) -> TrackList:
        """The TF-binding tracks that the service holds."""
        return await self._get(TrackList, "/tracks")

    async def cell_profile(self, cell_id: str, cut: Cut) -> LinkProfile:
        """What a cut leaves in a cell."""
        return await self._get(LinkProfile, f"/cells/{quoted(cell_id)}/profile", cut.parameters())

    async def type_profile(self, cell_type: str, cut: Cut) -> LinkProfile:
        """What a cut leaves in all cells of a type."""
        return await self._get(LinkProfile, f"/celltypes/{quoted(cell_type)}/profile", cut.parameters())

    async def keep_track(self, bed: BedFile) -> TrackInfo:
        """Have the service keep a BED file, for everybody, until it is deleted or the service stops."""
        return await self._ask(TrackInfo, "POST", "/tracks", **bed.sent)

    async def forget_track(self, track_id: str) -> TrackInfo:
        """Have the service forget an uploaded track."""
        return await self._ask(TrackInfo, "DELETE", f"/tracks/{quoted(track_id)}")

    async def compare_track(
        self, cell_type: str, cut: Cut, definition: Definition, track: str | BedFile, *, chance: bool = True
    ) -> TrackComparison:
        """A track that the service holds (its id), or a BED file, beside the cumulative scores of a cell type.

        Intervals and null models take the service longest; ``chance=False`` leaves them out.
        """
        path = f"/celltypes/{quoted(cell_type)}/tf"
        parameters = cut.parameters() | {"definition": definition} | ({} if chance else {"draws": 0})
        method, asked = track_request(track, parameters)
        return await self._ask(TrackComparison, method, path, **asked)

    async def track_csv(self, cell_type: str, cut: Cut, definition: Definition, track: str | BedFile) -> str:
        """The rows of :meth:`compare_track` as CSV."""
        path = f"/celltypes/{quoted(cell_type)}/tf.csv"
        method, asked = track_request(track, cut.parameters() | {"definition": definition})
        return (await self._answer(method, api_root(self._store) + path, **asked)).text

    async def track_matrix(
        self, measure: MeasureName, cut: Cut, definition: Definition, *, chance: bool = True
    ) -> TrackMatrix:
        """One measure of all held tracks in all cell types; ``chance`` as in :meth:`compare_track`."""
        parameters = (
            cut.parameters() | {"measure": measure, "definition": definition} | ({} if chance else {"draws": 0})
        )
        return await self._get(TrackMatrix, "/tf/matrix", parameters)

    async def forward(
        self, method: str, target: bytes, headers: dict[str, str], content: AsyncIterator[bytes] | None
    ) -> httpx.Response:
        """The service's answer to a request of somebody else, its body still to be read; whoever reads it closes it.

        ``target`` is path and query as they were sent, percent-encoded.

        Raises
        ------
        ClientError
            If the service does not answer.
        """
        base = self._http.base_url
        url = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + target)
        request = self._http.build_request(method, url, headers=headers, content=content)
        try:
            return await self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def _get(self, body: type[Body], path: str, parameters: dict[str, Any] | None = None) -> Body:
        return await self._ask(body, "GET", path, params=parameters)

    async def _ask(self, body: type[Body], method: str, path: str, **rest: Any) -> Body:
        response = await self._answer(method, api_root(self._store) + path, **rest)
        try:
            return body.model_validate_json(response.content)
        except ValidationError as error:
            raise ClientError(
                f"The service answered {path} with something else than {body.__name__}.",
                "Service and dashboard are of different versions: install the same one for both.",
                kind="UnexpectedAnswer",
            ) from error

    async def _answer(self, method: str, address: str, **rest: Any) -> httpx.Response:
        """An answer that is a success."""
        try:
            response = await self._http.request(method, address, **rest)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise refusal(response)
        return response

    def _unreachable(self, error: httpx.HTTPError) -> ClientError:
        return ClientError(
            f"The service at {self._http.base_url} does not answer ({type(error).__name__}).",
            "Check that `bi2scope serve` is running, then try again.",
            kind="Unreachable",
        )


def api_root(otherwise: str | None = None) -> str:
    """Where the addresses of the store that the page shows begin, or of another when the page names none."""
    store = STORE.get() or otherwise
    return API if store is None else f"{API}/stores/{quoted(store)}"


def quoted(name: str) -> str:
    """A barcode or cell type as one segment of an address ("CD4/CD8 T" has a slash)."""
    return quote(name, safe="")


def refusal(response: httpx.Response) -> ClientError:
    """The error that an unsuccessful answer stands for."""
    try:
        detail = ErrorBody.model_validate_json(response.content).error
    except ValidationError:
        return ClientError(
            f"The service answered with status {response.status_code} and no explanation.",
            "Its log says more.",
            kind="UnexpectedAnswer",
        )
    return ClientError(detail.message, detail.hint, kind=detail.type)
