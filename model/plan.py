"""Which pairs a training learns from, and which it never sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import (
    Pairs,
    easy_mismatches,
    epochs,
    labelled_pairs,
    matched_pairs,
    split_cells,
    split_pairs,
)
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
    """

    protocol: str
    split: Split
    negatives: Negatives
    codes: Ints
    train_cells: Ints
    train: Pairs
    validation: Pairs
    test: Pairs

    @property
    def n_train(self) -> int:
        """Training pairs of one epoch."""
        return 2 * len(self.train_cells) if self.split == "cells" else len(self.train)

    @property
    def balanced(self) -> bool:
        """Whether matched and mismatched weigh the same in the metrics, whatever their numbers."""
        return self.split == "cells"

    def epochs(self, rng: np.random.Generator) -> Iterator[Pairs]:
        """Pairs of one epoch after another, without end."""
        if self.split == "cells":
            yield from epochs(self.train_cells, self.codes, rng, fresh=self.negatives == "fresh")
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
    if config.split == "pairs":
        pairs = labelled_pairs(np.arange(multiome.n_cells), codes, rng)
        split = split_pairs(pairs, rng)
        train, validation, test = (pairs.take(part) for part in (split.train, split.validation, split.test))
        train_cells = np.union1d(train.rna_cell, train.atac_cell)
    else:
        labelled_pairs(np.arange(multiome.n_cells), codes, rng)  # one cell type: said of all cells, not of a part
        cells = split_cells(codes, rng)
        parts = {"training": cells.train, "validation": cells.validation, "test": cells.test}
        for name, part in parts.items():
            _check_types(name, part, codes)
        train_cells, train = cells.train, labelled_pairs(cells.train, codes, rng)
        validation, test = (
            held_out_pairs(part, codes, rng, config.mismatches_per_cell) for part in (cells.validation, cells.test)
        )
    return Plan(config.protocol, config.split, config.negatives, codes, train_cells, train, validation, test)


def held_out_pairs(cells: Ints, codes: Ints, rng: np.random.Generator, mismatches_per_cell: int) -> Pairs:
    """Each cell's matched pair, and several easy mismatches of its RNA."""
    return _joined(matched_pairs(cells), *(easy_mismatches(cells, codes, rng) for _ in range(mismatches_per_cell)))


def _joined(*parts: Pairs) -> Pairs:
    return Pairs(
        np.concatenate([part.rna_cell for part in parts]),
        np.concatenate([part.atac_cell for part in parts]),
        np.concatenate([part.label for part in parts]),
    )


def _check_types(name: str, cells: Ints, codes: Ints) -> None:
    if len(np.unique(codes[cells])) < 2:
        raise TrainingError(
            f"The {len(cells)} cells held for {name} are all of one cell type; mismatched pairs need two.",
            "Give more cells of each type.",
        )
