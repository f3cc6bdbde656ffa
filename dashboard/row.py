"""The row of one gene in a cell: all of its peaks, and what the sliders leave of them."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.components import Parts, graph
from bi2scope.dashboard.figures.row import HEIGHT, kept
from bi2scope.server.wire import LinkColumns, LinkTable


def row_part(link: str | None) -> html.Div:
    """Where the row is shown once a link is chosen; ``link`` is that of the address, ``GENE@peak``."""
    gene, _, peak = (link or "").rpartition("@")
    chosen = {"gene": gene, "peak": peak} if gene else None
    drawn = graph(ids.ROW, "ranked-peaks-of-a-gene", wheel=False, style={"height": HEIGHT})
    return html.Div(
        [
            dcc.Store(id=ids.LINK_CHOSEN, data=chosen),
            html.P(
                "Click a row of the table or a dot of the map: it is marked in the other, and all peaks of its gene "
                "are shown here.",
                id=ids.ROW_CAPTION,
                className="caption",
            ),
            html.Div(id=ids.ROW_NOTICE),
            html.Div(drawn, id=ids.ROW_BOX, style={"display": "none"}),
        ],
        className="row-part",
    )


def of_one_gene(table: LinkTable, peak: str) -> LinkColumns:
    """The links of the gene that is linked to a peak; of the first gene, if none is. Genes may share a symbol."""
    links = table.links
    if not links.gene_id:
        return links
    with_peak = (gene for gene, linked in zip(links.gene_id, links.peak, strict=True) if linked == peak)
    gene = next(with_peak, links.gene_id[0])
    own = [at for at, each in enumerate(links.gene_id) if each == gene]
    columns: dict[str, Any] = {name: [values[at] for at in own] for name, values in dict(links).items()}
    return LinkColumns(**columns)


def row_caption(table: LinkTable, links: LinkColumns, cut: Cut, gene: str) -> Parts:
    """What the row is, how many of its peaks survive, and what is missing."""
    if not links.peak:
        why = (
            "is not expressed in this cell" if table.n_genes == 0 else "has no peak with a score above 0.5 in this cell"
        )
        return [html.B(gene), f" {why}."]
    stays, total = sum(kept(links, cut)), len(links.peak)
    k = "k is off" if cut.top_k is None else f"k {cut.top_k}"
    missing = " Others were not stored." if table.truncated else ""
    return [
        html.B(gene),
        f" in {table.cell_id}: {total:,} peaks with a score above 0.5, of which threshold {cut.threshold:g} and {k} "
        f"leave {stays:,}.{missing}",
    ]
