"""Which pairs a training learns from, and which it never sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import (
    EASY,
    Mismatches,
    Pairs,
    easy_mismatches,
    epochs,
    is_hard,
    joined,
    labelled_pairs,
    matched_pairs,
    mismatched_pairs,
)
from bi2scope.data.splits import split_cells, split_pairs
from bi2scope.model.config import Negatives, Split, TrainingConfig

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Pairs to learn from and pairs held out.

    Attributes
    ----------
    protocol, split, negatives
        From the configuration.
    codes
        ``(n_cells,)`` cell types of the data set.
    train_cells
        Cells with a profile in a training pair.
    train
        Training pairs of a split of pairs; one draw of them in a split of cells.
    validation, test
        Held-out pairs.
    mismatches
        Number and kind of the training mismatches.
    """

    protocol: str
    split: Split
    negatives: Negatives
    codes: Ints
    train_cells: Ints
    train: Pairs
    validation: Pairs
    test: Pairs
    mismatches: Mismatches = EASY

    @property
    def n_train(self) -> int:
        """Training pairs of one epoch."""
        if self.split == "pairs":
            return len(self.train)
        return len(self.train_cells) + self.mismatches.number(len(self.train_cells))

    @property
    def balanced(self) -> bool:
        """Whether matched and mismatched weigh the same in the metrics, whatever their numbers."""
        return self.split == "cells"

    def hard(self, pairs: Pairs) -> npt.NDArray[np.bool_] | None:
        """``(n_pairs,)`` which of the plan's pairs are hard mismatches; ``None`` when none were asked for."""
        return is_hard(pairs, self.codes) if self.mismatches.hard_share else None

    def epochs(self, rng: np.random.Generator, after: Pairs | None = None) -> Iterator[Pairs]:
        """Pairs of one epoch after another, without end; ``after`` those of an earlier one, they go on from there."""
        if self.split == "cells":
            fresh = self.negatives == "fresh"
            yield from epochs(self.train_cells, self.codes, rng, self.mismatches, fresh=fresh, after=after)
        while True:
            yield self.train.take(rng.permutation(len(self.train)))

    def without_cells(self, cells: Ints) -> Plan:
        """The plan without the pairs of some cells (those left without a gene or a peak).

        Raises
        ------
        TrainingError
            If a part is left without matched or without mismatched pairs.
        """
        return replace(
            self,
            train_cells=np.setdiff1d(self.train_cells, cells),
            train=_without(self.train, cells, "training"),
            validation=_without(self.validation, cells, "validation"),
            test=_without(self.test, cells, "test"),
        )


def _without(pairs: Pairs, cells: Ints, part: str) -> Pairs:
    left = pairs.take(np.flatnonzero(~(np.isin(pairs.rna_cell, cells) | np.isin(pairs.atac_cell, cells))))
    missing = {0, 1} - set(left.label.tolist())
    if missing:
        raise TrainingError(
            f"No {'matched' if 1 in missing else 'mismatched'} pair is left for {part}: {len(cells):,} cells have no "
            "gene or no peak among those that are seen often enough.",
            "Give more cells, or lower min_cells.",
        )
    return left


def make_plan(multiome: Multiome, config: TrainingConfig, rng: np.random.Generator) -> Plan:
    """Split the cells, or the pairs, into training, validation and test.

    Raises
    ------
    DatasetError
        If the cells are all of one type, or too few to split.
    TrainingError
        If the cells of a part are all of one type, so that it has no mismatched pair.
    """
    codes = multiome.cells["cell_type"].cat.codes.to_numpy().astype(np.int64)
    mismatches = Mismatches(config.mismatch_ratio, config.hard_share)
    pairs = labelled_pairs(np.arange(multiome.n_cells), codes, rng, mismatches)  # all: says what the data set lacks
    if config.split == "pairs":
        if mismatches != EASY:
            pairs = _without_repeats(pairs)
        split = split_pairs(pairs, rng, cell_types=codes if mismatches.hard_share else None)
        train, validation, test = (pairs.take(part) for part in (split.train, split.validation, split.test))
        train_cells = np.union1d(train.rna_cell, train.atac_cell)
    else:
        cells = split_cells(codes, rng)
        parts = {"training": cells.train, "validation": cells.validation, "test": cells.test}
        for name, part in parts.items():
            _check_types(name, part, codes, mismatches.hard_share)
        train_cells, train = cells.train, labelled_pairs(cells.train, codes, rng, mismatches)
        held_out = Mismatches(config.mismatches_per_cell, mismatches.hard_share)
        validation, test = (held_out_pairs(part, codes, rng, held_out) for part in (cells.validation, cells.test))
    names = (config.protocol, config.split, config.negatives)
    return Plan(*names, codes, train_cells, train, validation, test, mismatches)


def held_out_pairs(cells: Ints, codes: Ints, rng: np.random.Generator, mismatches: Mismatches) -> Pairs:
    """Each cell's matched pair, and several mismatches of its RNA.

    Easy ones alone are drawn one by one, so that a pair may come twice: that keeps the figures of models trained
    before there were hard ones.
    """
    if mismatches.hard_share == 0:
        easy = (easy_mismatches(cells, codes, rng) for _ in range(round(mismatches.ratio)))
        return joined(matched_pairs(cells), *easy)
    return joined(matched_pairs(cells), mismatched_pairs(cells, codes, rng, mismatches))


def _without_repeats(pairs: Pairs) -> Pairs:
    """Each pair once, so that none is in two parts of a split of pairs; a small type soon has no other hard pairs."""
    both = np.column_stack((pairs.rna_cell, pairs.atac_cell))
    return pairs.take(np.sort(np.unique(both, axis=0, return_index=True)[1]))


def _check_types(name: str, cells: Ints, codes: Ints, hard_share: float) -> None:
    size = np.bincount(codes[cells])
    if hard_share < 1 and (size > 0).sum() < 2:
        raise TrainingError(
            f"The {len(cells)} cells held for {name} are all of one cell type; mismatched pairs need two.",
            "Give more cells of each type.",
        )
    if hard_share > 0 and size.max() < 2:
        raise TrainingError(
            f"The {len(cells)} cells held for {name} are all of different cell types; hard mismatches need two of one.",
            "Give more cells of each type, or a hard share of 0.",
        )
