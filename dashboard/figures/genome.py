"""Axes in genome order: chromosome bounds and names, and coordinates once a single chromosome is in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bi2scope.server.wire import ChromosomeSpan, HeatmapChromosome

Direction = Literal["across", "down"]

CHARACTER = 6.6
"""Width of a digit of the tick labels, in pixels."""

LINE = 12.5
"""Height of a line of the tick labels, in pixels."""


@dataclass(frozen=True, slots=True)
class Span:
    """A chromosome on one axis, in positions ``start`` to ``stop``, half-open."""

    name: str
    start: int
    stop: int

    @property
    def label(self) -> str:
        """The name without ``chr``."""
        return self.name.removeprefix("chr")

    def within(self, start: int, stop: int) -> Span:
        """The part inside a window (empty, with ``stop <= start``, when there is none)."""
        return Span(self.name, max(self.start, start), min(self.stop, stop))


@dataclass(frozen=True, slots=True)
class Ticks:
    """Positions and texts of an axis, and how its title should end."""

    positions: list[float]
    texts: list[str]
    suffix: str = ""


def gene_spans(chromosomes: Sequence[ChromosomeSpan | HeatmapChromosome]) -> list[Span]:
    """Chromosomes along the genes; those without one are left out."""
    return [Span(c.name, c.gene_start, c.gene_stop) for c in chromosomes if c.gene_stop > c.gene_start]


def peak_spans(chromosomes: Sequence[ChromosomeSpan | HeatmapChromosome]) -> list[Span]:
    """Chromosomes along the peaks; those without one are left out."""
    return [Span(c.name, c.peak_start, c.peak_stop) for c in chromosomes if c.peak_stop > c.peak_start]


def in_view(spans: Sequence[Span], start: int, stop: int) -> list[Span]:
    """The parts of the chromosomes that a window shows."""
    return [part for span in spans if (part := span.within(start, stop)).stop > part.start]


def chromosome_ticks(
    spans: Sequence[Span], start: int, stop: int, *, pixels: float, direction: Direction = "across"
) -> Ticks:
    """Names of the chromosomes in view, each at the middle of its part, staggered so that none covers another.

    Parameters
    ----------
    start, stop
        The window, half-open.
    pixels
        Length of the axis; give the shortest that is drawn.
    direction
        Names of neighbours that would touch go to a further line below the axis (``across``)
        or a further column left of it (``down``). Four places deep at most; what still does not fit is left out.
    """
    scale = pixels / max(stop - start, 1)
    taken: list[float] = []  # how far each line or column is filled, in pixels
    ticks = Ticks([], [])
    for span in in_view(spans, start, stop):
        middle = (span.start + span.stop - 1) / 2
        size = LINE if direction == "down" else CHARACTER * (len(span.label) + 1)
        near, far = (middle - start) * scale - size / 2, (middle - start) * scale + size / 2
        depth = next((i for i, filled in enumerate(taken) if near >= filled), len(taken))
        if depth >= 4:
            continue
        taken[depth : depth + 1] = [far]
        ticks.positions.append(middle)
        ticks.texts.append(staggered(span.label, depth, direction))
    return ticks


def staggered(label: str, depth: int, direction: Direction) -> str:
    """A label pushed ``depth`` places away from its axis."""
    if direction == "across":
        return "<br>" * depth + label
    return label + "\N{NO-BREAK SPACE}" * (6 * depth)


def evenly(start: int, stop: int, count: int) -> list[int]:
    """At most ``count`` positions spread evenly over ``start`` to ``stop``; all of them when they fit."""
    step = max(1, -(-(stop - start) // count))
    return list(range(start + (step - 1) // 2, stop, step))


NEAR = 60
"""Positions in a window up to which they are named one by one, whatever the chromosomes."""


def peak_ticks(spans: Sequence[Span], names: Sequence[str], start: int, stop: int, *, pixels: float) -> Ticks:
    """Chromosome names; coordinates in Mb in a near window or within one chromosome.

    Parameters
    ----------
    names
        Names of the peaks ``start`` to ``stop``, ``chr:start-end``.
    """
    view = in_view(spans, start, stop)
    if not is_near(spans, view):
        return chromosome_ticks(spans, start, stop, pixels=pixels)
    positions = evenly(start, stop, int(pixels // 56))
    shown = [names[i - start] for i in positions]
    megabases = [f"{start_of(name) / 1e6:.3f}" for name in shown]
    if len(view) == 1:
        return Ticks([float(i) for i in positions], megabases, f"; start on {view[0].name} in Mb")
    texts = [f"{chromosome.removeprefix('chr')}:{at}" for chromosome, at in zip(map(of, shown), megabases, strict=True)]
    return Ticks([float(i) for i in positions], texts, "; chromosome and start in Mb")


def gene_ticks(spans: Sequence[Span], names: Sequence[str], start: int, stop: int, *, pixels: float) -> Ticks:
    """Chromosome names; names of genes in a near window or within one chromosome."""
    view = in_view(spans, start, stop)
    if not is_near(spans, view):
        return chromosome_ticks(spans, start, stop, pixels=pixels, direction="down")
    positions = evenly(start, stop, int(pixels // (LINE + 2)))
    named = ", ".join(span.name for span in view)
    return Ticks([float(i) for i in positions], [names[i - start] for i in positions], f"; {named}")


def is_near(spans: Sequence[Span], view: Sequence[Span]) -> bool:
    """Whether single positions are to be named: few in view, or a part of one chromosome (or of the only one)."""
    shown = sum(span.stop - span.start for span in view)
    return 0 < shown <= NEAR or (len(view) == 1 and (len(spans) == 1 or view[0] not in spans or shown <= 400))


def of(peak: str) -> str:
    """Chromosome in a peak's name ``chr:start-end``."""
    return peak.rpartition(":")[0]


def start_of(peak: str) -> int:
    """Start coordinate in a peak's name ``chr:start-end``."""
    return int(peak.rpartition(":")[2].partition("-")[0])
