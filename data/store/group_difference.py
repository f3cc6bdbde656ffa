"""Two groups of the cells of a store, held against each other peak by peak or gene by gene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from bi2scope.data.differences import Entries, Floats, Ints, Method, odds_ratios, two_groups, two_shares
from bi2scope.data.store.cell_sums import Block, SumsOf, SumsPerCell
from bi2scope.data.tracks.significance import false_discovery_rates

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader

Among = Literal["all", "nonzero"]
Columns = dict[str, npt.NDArray[Any]]

FEWEST_CELLS: Final = 3
"""Cells that a group must have: with fewer there is nothing to tell apart."""

FEWEST_LINKED: Final = 5
"""Cells with a link that a feature must have at least, whatever the share asked for."""


@dataclass(frozen=True)
class Contrast:
    """What is compared, and how.

    Attributes
    ----------
    sums
        The number of each cell.
    layer, head
        Whose links.
    method
        Mann-Whitney U or Welch's t.
    among
        All cells, or those alone in which the feature has a count: there, what is left of a difference is not one of
        accessibility (or expression).
    least_share
        Tested are features with a number above 0 in at least this share of as many cells as the smaller group has, and
        in five cells. It does not matter in which group they are, so the selection favours none (Bourgon et al.,
        2010).
    """

    sums: SumsOf
    layer: int = 0
    head: int = 0
    method: Method = "mann-whitney"
    among: Among = "all"
    least_share: float = 0.05

    def least_cells(self, n_first: int, n_second: int) -> int:
        """Cells with a number above 0 that a feature must have to be tested."""
        return max(FEWEST_LINKED, int(np.ceil(self.least_share * min(n_first, n_second))))


@dataclass(frozen=True)
class Compared:
    """Two groups of cells, feature by feature; arrays of one length, a feature each.

    Attributes
    ----------
    feature
        Position in the data set, ascending.
    mean_first, mean_second
        Mean over the cells that are compared.
    linked_first, linked_second
        Cells with a number above 0.
    effect, statistic, p, q
        :class:`Outcome`; ``q`` is the false discovery rate over these features (Benjamini and Hochberg, 1995).
    nonzero_first, nonzero_second
        Cells with a count of the feature.
    nonzero_odds_ratio, nonzero_effect, nonzero_p, nonzero_q
        The same test of there being a count or not, over all cells, and the odds ratio.
    """

    feature: Ints
    mean_first: Floats
    mean_second: Floats
    linked_first: Floats
    linked_second: Floats
    effect: Floats
    statistic: Floats
    p: Floats
    q: Floats
    nonzero_first: Ints
    nonzero_second: Ints
    nonzero_odds_ratio: Floats
    nonzero_effect: Floats
    nonzero_p: Floats
    nonzero_q: Floats


@dataclass(frozen=True)
class Difference:
    """What was found.

    Attributes
    ----------
    tested
        The features that were tested.
    n_first, n_second
        Cells of the groups.
    least_cells
        Cells with a number above 0 that a tested feature has at least.
    n_features
        Of the data set.
    truncated
        Whether links that would have survived were cut off when the store was made.
    """

    tested: Compared
    n_first: int
    n_second: int
    least_cells: int
    n_features: int
    truncated: bool


def difference(reader: StoreReader, first: Ints, second: Ints, contrast: Contrast) -> Difference:
    """Hold two groups of cells against each other.

    Parameters
    ----------
    reader
        The store.
    first, second
        Positions of the cells; no cell is in both.
    contrast
        What is compared.

    Raises
    ------
    NotFoundError
        If there is no such layer or head.
    StoreDamagedError
        If the file fails its checksums on the way.
    """
    from bi2scope.data.store.opening import intact

    cells = np.concatenate([first, second]).astype(np.int64)
    of_first = np.arange(len(cells)) < len(first)
    n_features = len(reader.genes) if contrast.sums.feature == "gene" else reader.n_peaks
    least = contrast.least_cells(len(first), len(second))
    links = reader.stored_links(contrast.layer, contrast.head)
    with intact(reader.path, "the links of the chosen cells"):
        sums = SumsPerCell(links, reader.counts, reader.n_peaks, cells, contrast.sums)
        nonzero = sums.nonzero(n_features, of_first), sums.nonzero(n_features, ~of_first)
        groups = _Groups(of_first, nonzero, contrast, least)
        blocks = [groups.compared(block) for block in sums.blocks(nonzero[0] + nonzero[1])]
    rows = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    rows |= {f"{beside}q": false_discovery_rates(rows[f"{beside}p"]) for beside in ("", "nonzero_")}
    return Difference(Compared(**rows), len(first), len(second), least, n_features, sums.truncated)


@dataclass(frozen=True)
class _Groups:
    """Two groups of cells, to be compared block by block."""

    of_first: npt.NDArray[np.bool_]
    nonzero: tuple[Ints, Ints]
    contrast: Contrast
    least: int

    def compared(self, block: Block) -> Columns:
        """Columns of the tested features of a block, all but the false discovery rates."""
        size, first = block.stop - block.start, self.of_first[block.cell]
        kept = np.bincount(block.feature, minlength=size) >= self.least
        nonzero = tuple(each[block.start : block.stop] for each in self.nonzero)
        if self.contrast.among == "nonzero":
            kept &= np.minimum(*nonzero) >= FEWEST_CELLS
        n_kept, there = int(kept.sum()), kept[block.feature]
        place = (np.cumsum(kept) - 1).astype(np.int32)
        entries = Entries(place[block.feature[there]], block.value[there], first[there])
        nonzero = nonzero[0][kept], nonzero[1][kept]
        whole = tuple(np.full(n_kept, count) for count in (self.of_first.sum(), (~self.of_first).sum()))
        sizes = nonzero if self.contrast.among == "nonzero" else whole
        columns: Columns = {"feature": block.start + np.flatnonzero(kept)}
        for name, values in (("linked", None), ("mean", entries.value)):
            columns[f"{name}_first"], columns[f"{name}_second"] = entries.per_group(n_kept, values)
        for name, cells in zip(("mean_first", "mean_second"), sizes, strict=True):
            columns[name] = columns[name] / cells
        found, beside = (
            two_groups(self.contrast.method, entries, *sizes),
            two_shares(self.contrast.method, *nonzero, *whole),
        )
        return columns | {
            "effect": found.effect,
            "statistic": found.statistic,
            "p": found.p,
            "nonzero_first": nonzero[0],
            "nonzero_second": nonzero[1],
            "nonzero_odds_ratio": odds_ratios(*nonzero, *whole),
            "nonzero_effect": beside.effect,
            "nonzero_p": beside.p,
        }
