import itertools

import numpy as np
import pytest
from multiomes import random_multiome

from bi2scope.data.errors import DatasetError, TrainingError
from bi2scope.data.pairs import Pairs
from bi2scope.model.config import protocol_defaults
from bi2scope.model.plan import Plan, make_plan


def plan_of(protocol: str, n_cells: int = 90, *, hard: float = 0, ratio: float = 1, **rest: object) -> Plan:
    multiome = random_multiome(n_cells=n_cells, **rest)
    config = protocol_defaults(protocol, hard_share=hard, mismatch_ratio=ratio)[1]
    return make_plan(multiome, config, np.random.default_rng(0))


def cells_of(pairs: Pairs) -> set[int]:
    return {*pairs.rna_cell.tolist(), *pairs.atac_cell.tolist()}


def test_no_cell_is_in_two_parts_of_a_split_of_cells() -> None:
    plan = plan_of("bi2scope")
    first, second = itertools.islice(plan.epochs(np.random.default_rng(1)), 2)
    parts = [cells_of(first) | cells_of(second), cells_of(plan.validation), cells_of(plan.test)]
    assert parts[0] == set(plan.train_cells.tolist())
    assert sum(map(len, parts)) == len(set.union(*parts)) == 90


def test_fresh_mismatches_differ_between_epochs_and_fixed_ones_do_not() -> None:
    for protocol, same in (("bi2scope", False), ("paper", True)):
        plan = plan_of(protocol)
        drawn = [
            set(zip(p.rna_cell, p.atac_cell, strict=True))
            for p in itertools.islice(plan.epochs(np.random.default_rng(1)), 2)
        ]
        assert (drawn[0] == drawn[1]) is same
        assert len(drawn[0]) <= plan.n_train


def test_held_out_mismatches_are_of_two_types_and_as_many_as_asked() -> None:
    plan = plan_of("bi2scope")
    for pairs in (plan.validation, plan.test):
        assert (pairs.label == 0).sum() == 8 * (pairs.label == 1).sum()
        agree = plan.codes[pairs.rna_cell] == plan.codes[pairs.atac_cell]
        assert (agree == (pairs.label == 1)).all()


def test_a_split_of_pairs_shares_no_pair() -> None:
    plan = plan_of("paper")
    pairs = [list(zip(p.rna_cell, p.atac_cell, strict=True)) for p in (plan.train, plan.validation, plan.test)]
    assert sum(map(len, pairs)) == len(set(itertools.chain(*pairs))) == 180
    assert not plan.balanced


def test_cells_without_nodes_leave_every_pair() -> None:
    plan = plan_of("bi2scope")
    gone = np.array([plan.train_cells[0], plan.validation.rna_cell[0]])
    left = plan.without_cells(gone)
    assert left.n_train == plan.n_train - 2
    for pairs in (*itertools.islice(left.epochs(np.random.default_rng(1)), 2), left.validation, left.test):
        assert not cells_of(pairs) & set(gone.tolist())


def test_when_all_cells_are_without_nodes_training_cannot_start() -> None:
    with pytest.raises(TrainingError, match="No matched pair is left for training: 90 cells have no gene or no peak"):
        plan_of("bi2scope").without_cells(np.arange(90))


@pytest.mark.parametrize("protocol", ["bi2scope", "paper"])
def test_one_cell_type_is_refused(protocol: str) -> None:
    with pytest.raises(DatasetError, match="The 90 cells to pair are all of one cell type"):
        plan_of(protocol, cell_types=("B",))


def test_too_few_cells_are_refused() -> None:
    with pytest.raises((DatasetError, TrainingError), match=r"too few|all of one cell type"):
        plan_of("bi2scope", n_cells=9)


def test_hard_mismatches_are_in_every_part_in_the_share_asked_for() -> None:
    plan = plan_of("bi2scope", hard=0.25, ratio=2)
    first = next(plan.epochs(np.random.default_rng(1)))
    assert len(first) == plan.n_train == 3 * len(plan.train_cells)
    for pairs in (first, plan.validation, plan.test):
        hard = plan.hard(pairs)
        assert hard is not None
        assert hard.sum() == round(0.25 * (pairs.label == 0).sum())
        assert (plan.codes[pairs.rna_cell] == plan.codes[pairs.atac_cell])[hard].all()
    assert plan_of("bi2scope").hard(plan.test) is None


@pytest.mark.parametrize("ratio", [1, 5])
def test_a_split_of_pairs_with_hard_ones_shares_no_pair(ratio: float) -> None:
    plan = plan_of("paper", n_cells=30, hard=1, ratio=ratio, cell_types=("a", "b", "c", "d", "e", "f"))
    pairs = [list(zip(p.rna_cell, p.atac_cell, strict=True)) for p in (plan.train, plan.validation, plan.test)]
    assert sum(map(len, pairs)) == len(set(itertools.chain(*pairs)))
    assert all(plan.hard(p).any() for p in (plan.train, plan.validation, plan.test))


def test_one_cell_type_does_for_hard_mismatches_alone() -> None:
    plan = plan_of("bi2scope", hard=1, cell_types=("B",))
    assert (plan.hard(plan.test) == (plan.test.label == 0)).all()


def test_a_part_without_two_cells_of_a_type_is_named() -> None:
    types = tuple(f"type {number}" for number in range(9))
    with pytest.raises(TrainingError, match=r"held for \w+ are all of different cell types; hard mismatches need two"):
        plan_of("bi2scope", n_cells=45, hard=0.5, cell_types=types)
