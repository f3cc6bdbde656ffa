"""Figures of the fit report: simulated in blue, real in vermilion, told apart by line style as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

Line = Literal["-", "--"]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from bi2scope.data.fit_report import Measures

COLOURS = "#0072b2", "#d55e00"
"""Blue and vermilion of Okabe & Ito (2008), apart for every kind of colour vision."""

LINES: tuple[Line, Line] = ("-", "--")
"""Of simulated and of real data."""

DPI = 150
MOST_TYPES = 24


def draw(simulated: Measures, real: Measures, folder: Path) -> list[Path]:
    """Write the figures that the measures allow, as PNG; returns their paths."""
    figures = {"cells": draw_cells(simulated, real), "cell-types": draw_cell_types(simulated, real)}
    if simulated.genes is not None and real.genes is not None:
        figures["features"] = draw_features(simulated, real)
        figures["mean-variance"] = draw_mean_variance(simulated, real)
    if simulated.overlap is not None and real.overlap is not None:
        figures["peak-overlap"] = draw_overlap(simulated, real)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI)
    return paths


def _figure(width: float, height: float, columns: int, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of its own, without pyplot, so that no window and no global state is touched."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_cells(simulated: Measures, real: Measures) -> Figure:
    """Distribution over the cells of what is seen in each."""
    from bi2scope.data.fit_report import CELL_QUANTITIES

    known = [each for each in CELL_QUANTITIES if each in simulated.cells and each in real.cells]
    figure, axes = _figure(3.1 * len(known), 3.1, len(known))
    for axis, each in zip(axes, known, strict=True):
        values = [np.maximum(table[each].to_numpy(np.float64), 1) for table in (simulated.cells, real.cells)]
        bins = np.geomspace(min(v.min() for v in values), max(v.max() for v in values) * 1.01, 41)
        for colour, line, value, name in zip(COLOURS, LINES, values, (simulated.name, real.name), strict=True):
            share = np.histogram(value, bins)[0] * 100 / len(value)
            axis.stairs(share, bins, linewidth=1.5, label=name, color=colour, linestyle=line)
        axis.set_xscale("log")
        _plain_ticks(axis.xaxis, subs=(1.0, 3.0))
        axis.set_xlabel(CELL_QUANTITIES[each])
    axes[0].set_ylabel("cells (%)")
    _legend(figure, axes[0])
    return figure


def draw_cell_types(simulated: Measures, real: Measures) -> Figure:
    """Median and 5-95 % range of the genes per cell, by cell type of either data set."""
    rows = []
    for number, measures in enumerate((simulated, real)):
        grouped = measures.cells.groupby("cell_type")["genes"]
        quantiles = {name: grouped.quantile(q) for name, q in (("low", 0.05), ("median", 0.5), ("high", 0.95))}
        table = pd.DataFrame({**quantiles, "n": grouped.size(), "source": number})
        rows.append(table.sort_values("n", ascending=False).head(MOST_TYPES).sort_values("median"))
    table = pd.concat(rows)
    figure, (axis,) = _figure(7, 1.2 + 0.24 * len(table), 1)
    for number, (colour, line, name) in enumerate(zip(COLOURS, LINES, (simulated.name, real.name), strict=True)):
        here = np.flatnonzero(table["source"] == number)
        part = table.iloc[here]
        axis.hlines(here, part["low"], part["high"], color=colour, linestyles=line, linewidth=1.5)
        axis.plot(part["median"], here, marker="os"[number], linestyle="none", color=colour, label=name)
    labels = [f"{name} ({int(n):,})" for name, n in zip(table.index, table["n"], strict=True)]
    axis.set_yticks(range(len(table)), labels)
    axis.set_xlabel("genes per cell: median, and 5 to 95 % of the cells")
    axis.set_ylabel("cell type (number of cells)")
    _legend(figure, axis)
    return figure


def draw_features(simulated: Measures, real: Measures) -> Figure:
    """Share of the cells in which each gene and each peak is seen, from the most frequent to the least."""
    figure, axes = _figure(8, 3.4, 2)
    for axis, kind in zip(axes, ("genes", "peaks"), strict=True):
        for colour, line, measures in zip(COLOURS, LINES, (simulated, real), strict=True):
            frequency = np.sort(getattr(measures, kind)["frequency"].to_numpy())[::-1]
            rank = 100 * np.arange(1, len(frequency) + 1) / len(frequency)
            seen = 100 * np.where(frequency > 0, frequency, np.nan)
            axis.plot(rank, seen, label=measures.name, linewidth=1.5, color=colour, linestyle=line)
        axis.set_yscale("log")
        _plain_ticks(axis.yaxis)
        axis.set_xlabel(f"{kind}, most frequent first (%)")
        axis.set_ylabel(f"cells in which a {kind[:-1]} is seen (%)")
    _legend(figure, axes[0])
    return figure


def draw_mean_variance(simulated: Measures, real: Measures) -> Figure:
    """Variance over mean of the counts, by the mean: median line and band of the quartiles; 1 is Poisson."""
    from bi2scope.data.fit_report import variance_by_mean

    figure, axes = _figure(8, 3.4, 2)
    for axis, kind in zip(axes, ("genes", "peaks"), strict=True):
        for colour, line, measures in zip(COLOURS, LINES, (simulated, real), strict=True):
            table = variance_by_mean(getattr(measures, kind))
            axis.plot(table.index, table["q50"], label=measures.name, linewidth=1.5, color=colour, linestyle=line)
            axis.fill_between(table.index, table["q25"], table["q75"], color=colour, alpha=0.2, linewidth=0)
        axis.axhline(1, color="#495057", linewidth=1, linestyle=":", label="Poisson" if kind == "genes" else None)
        axis.set_xscale("log")
        axis.set_yscale("log")
        _plain_ticks(axis.xaxis, subs=(1.0,))
        _plain_ticks(axis.yaxis)
        axis.set_xlabel(f"mean count of a {kind[:-1]} per cell")
        axis.set_ylabel("variance / mean of the count\n(median and quartiles)")
    _legend(figure, axes[0])
    return figure


def draw_overlap(simulated: Measures, real: Measures) -> Figure:
    """Jaccard index of the types' most frequent peaks, one matrix for each data set, on one colour scale."""
    from bi2scope.data.fit_report import TOP_PEAKS

    assert simulated.overlap is not None
    assert real.overlap is not None
    size = max(len(simulated.overlap), len(real.overlap))
    figure, axes = _figure(3 + 0.5 * size + 3, 2.2 + 0.26 * size, 2)
    tables = (simulated.overlap, real.overlap)
    highest = max(float(table.where(~np.eye(len(table), dtype=bool)).max().max()) for table in tables)
    for axis, table, measures in zip(axes, tables, (simulated, real), strict=True):
        values = np.where(np.eye(len(table), dtype=bool), np.nan, table.to_numpy())
        image = axis.imshow(values, cmap="cividis", vmin=0, vmax=np.ceil(10 * highest) / 10)
        axis.set_xticks(range(len(table)), list(table.columns), rotation=90)
        axis.set_yticks(range(len(table)), list(table.index))
        axis.set_title(measures.name, fontsize=10)
        axis.set_xlabel("cell type")
    axes[0].set_ylabel("cell type")
    bar = figure.colorbar(image, ax=axes)
    bar.set_label(f"Jaccard index of the\n{TOP_PEAKS:.0%} most frequent peaks")
    return figure


def _plain_ticks(axis: Axis, subs: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Plain numbers on a logarithmic axis, few enough to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=subs, numticks=7))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, axis: Axes) -> None:
    """One legend for all panels, above them."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False)
