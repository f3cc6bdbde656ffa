"""Callbacks of the gene / locus view."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update, set_props
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import arcs as links
from bi2scope.dashboard import ids, locus
from bi2scope.dashboard.arcs import MOST_LISTED, Arcs, Place, Sight
from bi2scope.dashboard.callbacks.page import in_browser, require_view
from bi2scope.dashboard.cell import cell_options
from bi2scope.dashboard.client import Client, Cut
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures.locus import Shown, locus_figure
from bi2scope.dashboard.figures.style import Scheme, type_colour
from bi2scope.dashboard.figures.why import why_figure
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings

MARGIN = 0.5
"""Share of the window that is fetched beyond either side, so that moving shows something at once."""

BINS = 1_200
NEAR = 500_000
"""Bases from a TSS within which the first gene of all has its strongest link."""


@dataclass(frozen=True)
class Asked:
    """What the view is asked to show."""

    gene: str | None
    region: str | None
    cell_type: str
    cell_id: str | None
    cut: Cut


@dataclass(frozen=True)
class Found:
    """What was found for it; ``gene`` is where the gene lies."""

    arcs: Arcs
    window: Place
    chrom_end: int
    gene_id: str | None = None
    gene_name: str | None = None
    gene: Place | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether the gene lies on another chromosome than the window."""
        return self.gene is not None and self.gene.chrom != self.window.chrom

    @property
    def sight(self) -> Sight:
        """The arcs that the window shows."""
        return links.sight_of([] if self.elsewhere else self.arcs.rows, self.window)


async def found(client: Client, asked: Asked) -> Found:
    """The links that are asked for, and the window to show them in."""
    if asked.gene is None:
        assert asked.region is not None
        whole = await client.region(asked.region, asked.cut, bins=1)
        window = Place(whole.chrom, whole.start, whole.end)
        if asked.cell_id is not None:
            body = await client.region_links(asked.cell_id, window.text, asked.cut, limit=MOST_LISTED)
            return Found(links.of_cell(body), window, whole.chrom_end)
        pairs = await client.region_pairs(asked.cell_type, window.text, asked.cut, limit=MOST_LISTED)
        return Found(links.of_map(pairs), window, whole.chrom_end)
    arcs = await gene_arcs(client, asked, asked.gene)
    named = (await client.genes(asked.gene, limit=1)).genes
    place = links.gene_place(named)
    whole = await client.region(asked.region or place.chrom, asked.cut, bins=1)
    if asked.region is None:
        window = links.first_window(place, arcs.rows, whole.chrom_end)
    else:
        window = Place(whole.chrom, whole.start, whole.end)
    return Found(arcs, window, whole.chrom_end, named.gene_id[0], named.gene_name[0], place)


async def gene_arcs(client: Client, asked: Asked, gene: str) -> Arcs:
    """The links of one gene."""
    if asked.cell_id is not None:
        return links.of_cell(await client.links(asked.cell_id, asked.cut, gene=gene, limit=MOST_LISTED))
    return links.of_gene(await client.gene_peaks(asked.cell_type, gene, asked.cut, limit=MOST_LISTED))


async def first_gene(client: Client, cell_type: str, cut: Cut) -> str | None:
    """A gene to begin with: of the first chromosome's strongest pairs the first that is near, or the first of all."""
    dataset = await client.dataset()
    chromosome = next((span.name for span in dataset.chromosomes if span.gene_stop > span.gene_start), None)
    if chromosome is None:
        return None
    pairs = (await client.region_pairs(cell_type, chromosome, cut, limit=200)).pairs
    near = [gene for gene, away in zip(pairs.gene_id, pairs.distance_to_tss, strict=True) if abs(away) <= NEAR]
    return next(iter([*near, *pairs.gene_id]), None)


async def named_gene(client: Client, gene: str) -> dict[str, str]:
    """A gene as it is offered."""
    return locus.found_options("", await client.genes(gene, limit=1), None)[0]


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    register_search(app, client, settings)
    register_figure(app, client, settings)
    register_moves(app)
    register_why(app, client)


def register_search(app: Dash, client: Client, settings: Settings) -> None:
    """Genes, peaks, places, cells and tracks to choose from."""

    @app.callback(
        Output(ids.LOCUS_FIND, "data"),
        Input(ids.LOCUS_FIND, "searchValue"),
        State(ids.LOCUS_FIND, "value"),
        State(ids.LOCUS_FIND, "data"),
        prevent_initial_call=True,
    )
    async def offer(search: str | None, chosen: str | None, offered: list[dict[str, str]] | None) -> Any:
        typed = (search or "").strip()
        own = [one for one in offered or [] if one["value"] == chosen]
        if not typed or any(one["label"] == typed for one in own):
            raise PreventUpdate
        placed = ":" in typed
        genes = None if placed else await client.genes(typed, limit=20)
        peaks = await client.peaks(typed, limit=10) if re.search(r"[:_-]", typed) else None
        options = locus.found_options(typed, genes, peaks)
        return [*options, *(one for one in own if one["value"] not in {each["value"] for each in options})]

    @app.callback(
        Output(ids.LOCUS_CELL, "data"),
        Output(ids.LOCUS_CELL, "value"),
        Output(ids.LOCUS_CELL_BOX, "style"),
        Input(ids.LOCUS_MODE, "value"),
        Input(ids.LOCUS_TYPE, "value"),
        Input(ids.LOCUS_CELL, "searchValue"),
        Input(ids.VIEW, "value"),
        State(ids.LOCUS_CELL, "value"),
        State(ids.LOCUS_SHOWN, "data"),
    )
    async def offer_cells(
        mode: str, cell_type: str, search: str | None, view: str, chosen: str | None, shown: dict[str, Any] | None
    ) -> Any:
        require_view(view, "locus")
        if mode != "cell":
            return no_update, no_update, {"display": "none"}
        box = {"display": "block"}
        searched = ctx.triggered_id == ids.LOCUS_CELL
        prefix = search if searched and search and search != chosen else None
        page = await client.cells(cell_type=cell_type, prefix=prefix, limit=settings.cells_listed)
        if searched:
            return cell_options(page.cells, chosen), no_update, box
        gene = (shown or {}).get("gene")
        if chosen is not None and ctx.triggered_id not in (ids.LOCUS_TYPE, ids.LOCUS_MODE):
            return cell_options(page.cells, chosen), no_update, box
        best = (await client.gene_peaks(cell_type, gene, Cut(), limit=1)).pairs.best_cell if gene else []
        picked = next(iter([*best, *(cell.cell_id for cell in page.cells)]), None)
        return cell_options(page.cells, picked), picked, box

    @app.callback(
        Output(ids.LOCUS_TFS, "data"), Input(ids.VIEW, "value"), State(ids.LOCUS_TFS, "value"),
    )  # fmt: skip
    async def offer_tracks(view: str, chosen: list[str]) -> Any:
        require_view(view, "locus")
        held = (await client.tracks()).tracks
        return [{"value": track.track_id, "label": track.name} for track in held]


def register_figure(app: Dash, client: Client, settings: Settings) -> None:
    """The genome track with its table, notes and downloads."""

    @app.callback(
        Output(ids.LOCUS_PAYLOAD, "data"),
        Output(ids.LOCUS_SHOWN, "data"),
        Output(ids.LOCUS_TITLE, "children"),
        Output(ids.LOCUS_PLACE, "value"),
        Output(ids.LOCUS_NOTE, "children"),
        Output(ids.LOCUS_CAPTION, "children"),
        Output(ids.LOCUS_TABLE, "rowData"),
        Output(ids.LOCUS_TABLE_TITLE, "children"),
        Output(ids.LOCUS_FILES, "children"),
        Output(ids.LOCUS_NOTICE, "children"),
        Input(ids.LOCUS_ASKED, "data"),
        Input(ids.LOCUS_TYPE, "value"),
        Input(ids.LOCUS_MODE, "value"),
        Input(ids.LOCUS_CELL, "value"),
        Input(ids.LOCUS_BESIDE, "value"),
        Input(ids.LOCUS_TFS, "value"),
        Input(ids.LOCUS_QUANTITY, "value"),
        Input(ids.LOCUS_HEIGHT, "value"),
        Input(ids.CUT_OF_LOCUS, "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        State(ids.LOCUS_SHOWN, "data"),
    )
    @or_notice(9)
    async def draw(
        asked: dict[str, Any],
        cell_type: str | None,
        mode: str,
        cell_id: str | None,
        beside: list[str] | None,
        tracks: list[str] | None,
        quantity: Any,
        height: Any,
        cut_given: dict[str, Any],
        scheme: Scheme,
        view: str,
        before: dict[str, Any] | None,
    ) -> Any:
        require_view(view, "locus", cell_type, *([cell_id] if mode == "cell" else []))
        assert cell_type is not None
        cut = cut_of(cut_given)
        own_cell = cell_id if mode == "cell" else None
        gene, region = asked.get("gene"), asked.get("region")
        if not gene and not region:
            gene = await first_gene(client, cell_type, cut)
            if gene is not None:
                set_props(ids.LOCUS_FIND, {"data": [await named_gene(client, gene)], "value": f"gene:{gene}"})
        seen, dataset = await asyncio.gather(
            found(client, Asked(gene, region or None, cell_type, own_cell, cut)), client.dataset()
        )
        types = list(dict.fromkeys([cell_type, *(beside or [])]))
        there = await client.region(
            seen.window.wider(MARGIN, seen.chrom_end).text,
            cut,
            bins=BINS,
            cell_type=types,
            track=list(tracks or []),
            cell=own_cell,
        )
        names = [kind.name for kind in dataset.cell_types]
        height = "logit" if height == "share" and own_cell else height
        shown = Shown(
            window=seen.window,
            chosen=seen.gene_id,
            sight=seen.sight,
            height=height,
            quantity=quantity,
            least=cut.threshold if seen.arcs.over != "map" else dataset.floor,
            colours={name: type_colour(names.index(name)) for name in types},
        )
        state = {
            "gene": gene, "region": seen.window.text, "named": seen.window.named, "chrom": seen.window.chrom,
            "chrom_end": seen.chrom_end, "cell_type": types, "cell": own_cell, "quantity": quantity, "height": height,
            "track": list(tracks or []), "all": span_of(seen), "cut": cut_given,
        }  # fmt: skip
        of = own_cell or cell_type
        listed = ("gene", "cell_type", "cell", "cut")
        same = gene and before and all(before.get(name) == state[name] for name in listed)
        return (
            {"figure": locus_figure(there, seen.arcs, shown, scheme).to_plotly_json(), "frame": frame_of(seen, gene)},
            state,
            locus.title(seen.window, seen.gene_name, of),
            seen.window.named,
            locus.note(seen.arcs, seen.sight, seen.gene_name, elsewhere=seen.elsewhere, k_max=dataset.k_max),
            locus.caption(seen.arcs, height, quantity),
            no_update if same else locus.table_rows(seen.arcs.rows),
            locus.table_title(seen.arcs, seen.gene_name),
            locus.files((cell_type, own_cell), seen.gene_id, seen.window, cut, settings.public_api),
        )

    in_browser(
        app,
        "locusFigure",
        Output(ids.LOCUS_FIGURE, "figure"),
        Output(ids.LOCUS_FIGURE, "style"),
        Input(ids.LOCUS_PAYLOAD, "data"),
    )
    in_browser(
        app,
        "locusTooltip",
        Output(ids.LOCUS_TOOLTIP, "show"),
        Output(ids.LOCUS_TOOLTIP, "bbox"),
        Output(ids.LOCUS_TOOLTIP, "direction"),
        Output(ids.LOCUS_TOOLTIP, "children"),
        Input(ids.LOCUS_FIGURE, "hoverData"),
        State(ids.LOCUS_TABLE, "rowData"),
        prevent_initial_call=True,
    )


def frame_of(seen: Found, gene: str | None) -> str:
    """What the axis belongs to: while it stays, the browser keeps the window that is in sight by now."""
    return f"{seen.window.chrom}|{gene or ''}"


def span_of(seen: Found) -> list[int] | None:
    """A window that holds the gene and all its links."""
    if seen.gene is None or not seen.arcs.rows:
        return None
    window = links.around(seen.gene, seen.arcs.rows, seen.chrom_end)
    return None if seen.elsewhere else [window.start, window.end]


def register_moves(app: Dash) -> None:
    """What is looked for, and the window: by mouse, keys, buttons and text; all in the browser."""
    in_browser(
        app,
        "locusFind",
        Output(ids.LOCUS_ASKED, "data"),
        Input(ids.LOCUS_FIND, "value"),
        State(ids.LOCUS_SHOWN, "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "locusPlace",
        Output(ids.LOCUS_ASKED, "data", allow_duplicate=True),
        Input(ids.LOCUS_PLACE, "value"),
        State(ids.LOCUS_SHOWN, "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "locusMove",
        Output(ids.LOCUS_ASKED, "data", allow_duplicate=True),
        *(Input(name, "n_clicks") for name in ids.LOCUS_MOVES.values()),
        State(ids.LOCUS_SHOWN, "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "locusWindow",
        Input(ids.LOCUS_FIGURE, "relayoutData"),
        State(ids.LOCUS_SHOWN, "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "locusClick",
        Input(ids.LOCUS_FIGURE, "clickData"),
        State(ids.LOCUS_TABLE, "rowData"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "locusChosen",
        Output(ids.LOCUS_CHOSEN, "data"),
        Input(ids.LOCUS_TABLE, "selectedRows"),
        Input(ids.LOCUS_TABLE, "rowData"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "locusHighlight",
        Input(ids.LOCUS_CHOSEN, "data"),
        Input(ids.LOCUS_FIGURE, "figure"),
        State(ids.LOCUS_TABLE, "rowData"),
        prevent_initial_call=True,
    )


def register_why(app: Dash, client: Client) -> None:
    """The chosen link, taken apart."""

    @app.callback(
        Output(ids.LOCUS_WHY, "children"),
        Output(ids.LOCUS_WHY_NOTICE, "children"),
        Input(ids.LOCUS_CHOSEN, "data"),
        Input(ids.SCHEME, "data"),
        State(ids.LOCUS_SHOWN, "data"),
        State(ids.CUT, "data"),
        prevent_initial_call=True,
    )
    @or_notice(1, instead=(None,))
    async def explain(
        chosen: dict[str, Any] | None, scheme: Scheme, shown: dict[str, Any] | None, cut_given: dict[str, Any]
    ) -> Any:
        if not chosen or not shown:
            return (locus.why_hint(),)
        cut = cut_of(cut_given)
        cell_id = chosen["cell_id"] or await best_cell(client, shown["cell_type"][0], chosen, cut)
        if cell_id is None:
            return (locus.why_hint(),)
        why = await client.why(cell_id, chosen["gene_id"], chosen["peak"], cut)
        best = shown["cell"] is None
        return (locus.why_panel(why, why_figure(why, scheme), best, chosen["n_cells"]),)


async def best_cell(client: Client, cell_type: str, chosen: dict[str, Any], cut: Cut) -> str | None:
    """The cell of the type in which a link has its highest logit."""
    whole = Cut(layer=cut.layer, head=cut.head)
    pairs = (await client.gene_peaks(cell_type, chosen["gene_id"], whole, limit=200_000)).pairs
    return dict(zip(pairs.peak, pairs.best_cell, strict=True)).get(chosen["peak"])
