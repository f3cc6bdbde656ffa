"""Several processes train the model of one."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from multiomes import random_multiome, write_h5ad_pair
from torch import nn

from bi2scope.data.pairs import labelled_pairs
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.model.checkpoint import load
from bi2scope.model.config import protocol_defaults
from bi2scope.model.configuration import write_configuration
from bi2scope.model.distributed import Ranks, SharedDropout, plain_dropout, tell_dropout
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.loader import PairLoader
from bi2scope.model.resume import state_path
from bi2scope.model.training import Execution, train


@given(st.integers(0, 50), st.integers(0, 40), st.integers(1, 7))
def test_shares_are_the_batch(start: int, n: int, size: int) -> None:
    ranks = [Ranks(rank, size) for rank in range(size)]
    shares = [each.own(start, start + n) for each in ranks]
    assert [place for share in shares for place in share] == list(range(start, start + n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for each, share in zip(ranks, shares, strict=True):
        assert each.taken(start, start + n) == (share or range(start, start + min(n, 1)))


@pytest.mark.parametrize("first", [0, 2, 7])
def test_batches_of_all_processes_are_those_of_one(first: int) -> None:
    multiome = random_multiome(0, n_cells=29)
    layout = feature_layout(multiome.genes, multiome.peaks, Normalisation())
    types = multiome.cells["cell_type"].cat.codes.to_numpy()
    pairs = labelled_pairs(np.arange(29), types, np.random.default_rng(0))

    def counts(ranks: Ranks, begin: int = first) -> list[tuple[list[int], list[float], list[int]]]:
        """Nodes per graph, gene counts and labels of every batch."""
        loader = PairLoader(multiome, layout, 8, ranks=ranks)
        rng = np.random.default_rng(3)
        batches = loader.batches(pairs, node_dropout=0.5, rng=rng, first=begin)
        return [(b.genes.size.tolist(), b.genes.count.tolist(), label.tolist()) for b, label in batches]

    whole = counts(Ranks())
    assert whole == counts(Ranks(), 0)[first:]
    shares = [counts(Ranks(rank, 3)) for rank in range(3)]
    for number, batch in enumerate(whole):
        bounds = (8 * (first + number), min(8 * (first + number + 1), len(pairs)))
        own = [share[number] for rank, share in enumerate(shares) if Ranks(rank, 3).own(*bounds)]
        assert batch == tuple([value for share in own for value in share[part]] for part in range(3))


def test_shared_dropout_is_that_of_the_whole_batch() -> None:
    hidden = torch.randn(7, 5)
    torch.manual_seed(0)
    whole = nn.Dropout(0.4).train()(hidden)
    for rows in (slice(0, 7), slice(0, 3), slice(3, 7)):
        network = nn.Sequential(SharedDropout(0.4)).train()
        tell_dropout(network, rows, 7)
        torch.manual_seed(0)
        assert torch.equal(network(hidden[rows]), whole[rows])
    assert torch.equal(network.eval()(hidden), hidden)
    plain_dropout(network)
    assert type(network[0]) is nn.Dropout


@pytest.mark.parametrize(
    ("control", "resume"), [(None, False), pytest.param("uniform-attention", True, marks=pytest.mark.slow)]
)
def test_two_processes_train_the_model_of_one(tmp_path: Path, control: str | None, resume: bool) -> None:
    """The same command under torchrun; the last batch of an epoch is one pair, so one process has none of it.

    With ``resume``, one process trained the first epoch and was stopped.
    """
    rna, atac = write_h5ad_pair(tmp_path, random_multiome(3, n_cells=60))
    model, config = protocol_defaults("bi2scope", epochs=2, seed=4, mismatch_ratio=2)
    model = replace(model, id_dim=8, hidden=8, heads=2)
    config = replace(config, batch_size=13, averaging=0.5, clip_norm=0.5, class_balanced_loss=True, control=control)
    write_configuration(tmp_path / "small.json", model, config)
    out = tmp_path / "model.safetensors"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "bi2scope"]
    files = ["--rna", str(rna), "--atac", str(atac), "--config", str(tmp_path / "small.json"), "--out", str(out)]
    if resume:
        execution = Execution(state=state_path(out), on_epoch=stop)
        with pytest.raises(RuntimeError, match="stopped"):
            train(read_h5ad_pair(rna, atac), model, config, progress=False, execution=execution)
    options = ["--device", "cpu", "--history", str(tmp_path / "history.csv"), *(["--resume"] if resume else [])]
    done = subprocess.run(
        [*launch, "train", *files, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Held-out accuracy") == done.stdout.count("Wrote") == 1
    one = train(read_h5ad_pair(rna, atac), model, config, progress=False)
    n_train = one.report["n_train"]
    assert n_train % config.batch_size == 1
    two = load(out)
    for mine, other in zip(two.report["history"], one.report["history"], strict=True):
        assert mine | {"seconds": 0} == pytest.approx(other | {"seconds": 0}, abs=1e-5)
    assert two.report["test"]["loss"] == pytest.approx(one.report["test"]["loss"], abs=1e-5)
    for (name, mine), (_, other) in zip(
        two.network.state_dict().items(), one.network.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4, msg=name)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3
    assert not list(tmp_path.glob("*resume*"))


def stop(history: list[object]) -> None:
    """End a training after an epoch."""
    raise RuntimeError("stopped")
