"""Both ways of choosing, the compiled kernel and the padded products, on integers: equal logits are exactly equal."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import by_padded_blocks, integer_cases, projected, random_graph, random_layout

from bi2scope.model import kernel
from bi2scope.model.batch import collate
from bi2scope.model.random_attention import node_hashes
from bi2scope.model.selection import (
    block_random_logits,
    ordered_top,
    padded_top,
    top_peaks,
    top_peaks_at_random,
)


@pytest.mark.parametrize("choose", [top_peaks, by_padded_blocks])
@given(case=integer_cases(), places=st.integers(1, 60))
def test_highest_peaks_stand_by_logit_then_in_genome_order(choose, case, places: int) -> None:
    batch, query, key, same = case
    top = choose(projected(query), projected(key), batch, places)
    logits = torch.einsum("ghd,phd->ghp", query, key).numpy()
    for gene, head in np.ndindex(*top.n_above.shape):
        candidates = np.flatnonzero(same[gene])
        wanted = candidates[np.argsort(-logits[gene, head, candidates], kind="stable")][:places]
        found = top.peak[gene, head].numpy()
        assert found[: len(wanted)].tolist() == wanted.tolist()
        assert (found[len(wanted) :] == -1).all()
        assert top.logit[gene, head, : len(wanted)].tolist() == logits[gene, head, wanted].tolist()
        assert top.n_above[gene, head] == (logits[gene, head, candidates] > 0).sum()


@given(integer_cases(), st.integers(1, 20), st.integers(1, 3))
def test_random_logits_are_the_same_numbers_both_ways(case, places: int, heads: int) -> None:
    batch = case[0]
    gene, peak = node_hashes(batch, heads)
    one = top_peaks_at_random(batch, heads, places)
    other = padded_top(batch, batch.padded(), (heads, places), lambda bucket: block_random_logits(gene, peak, bucket))
    assert torch.equal(one.peak, other.peak)
    assert torch.equal(one.logit, other.logit)
    assert torch.equal(one.n_above, other.n_above)


@given(st.lists(st.sampled_from([-3.5, -1.0, -0.0, 0.0, 1e-40, 0.25, 7.0, -np.inf]), min_size=1), st.integers(1, 30))
def test_packed_order_is_the_stable_order(values: list[float], places: int) -> None:
    product = torch.tensor([values])
    found, place = ordered_top(product, places)
    wanted = product.sort(dim=-1, descending=True, stable=True)
    assert place.tolist() == wanted.indices[:, :places].tolist()
    assert found.tolist() == wanted.values[:, :places].tolist()


def test_threads_share_the_blocks_without_a_trace(monkeypatch) -> None:
    rng = np.random.default_rng(1)
    layout = random_layout(rng, 600, 2_000, 5)
    batch = collate([random_graph(rng, layout) for _ in range(3)], layout.gene_chromosome, layout.peak_chromosome)
    nodes = [
        projected(torch.from_numpy(rng.standard_normal((len(kind.slot), 2, 4)).astype(np.float32)))
        for kind in (batch.genes, batch.peaks)
    ]
    found = []
    for shared, threads in ((1 << 60, 1), (1, 3)):
        monkeypatch.setattr(kernel, "_SHARED", shared)
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(top_peaks(*nodes, batch, 10))
    assert torch.equal(found[0].peak, found[1].peak)
    assert torch.equal(found[0].logit, found[1].logit)


def test_a_logit_that_is_no_number_stays_visible() -> None:
    layout = random_layout(np.random.default_rng(0), 1, 30, 1)
    batch = collate([random_graph(np.random.default_rng(0), layout, 1.0)], *[np.zeros(n, np.int64) for n in (1, 30)])
    key = torch.ones(30, 1, 1)
    key[20] = torch.nan
    for choose in (top_peaks, by_padded_blocks):
        assert choose(projected(torch.ones(1, 1, 1)), projected(key), batch, 10).logit.isnan().any()
