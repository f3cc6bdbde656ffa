"""Cells of one data set under a model of another."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multiomes import random_multiome
from networks import random_network
from scipy import sparse

from bi2scope.data.errors import CheckpointError, ConfigurationError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.check import check_store
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.batch import collate
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.precompute.build import BuildOptions, precompute

MULTIOME = random_multiome(5, n_genes=25, n_peaks=60)


def model_of(multiome: Multiome, layers: int = 1) -> Trained:
    config = ModelConfig(id_dim=3, hidden=4, layers=layers)
    network = random_network(2, config, feature_layout(multiome.genes, multiome.peaks, Normalisation()), double=False)
    _, training = protocol_defaults("bi2scope")
    return Trained(network.eval(), config, training, multiome.genes, multiome.peaks, Normalisation())


def without(multiome: Multiome, genes: list[int], peaks: list[int]) -> Multiome:
    return multiome.take_features(
        np.setdiff1d(np.arange(multiome.n_genes), genes), np.setdiff1d(np.arange(multiome.n_peaks), peaks)
    )


def emptied(counts: sparse.csr_matrix, columns: set[int]) -> sparse.csr_matrix:
    dense = counts.toarray()
    dense[:, sorted(columns)] = 0
    return sparse.csr_matrix(dense)


def test_the_same_features_come_back_as_they_are() -> None:
    aligned = model_of(MULTIOME).align(MULTIOME)
    assert (aligned.rna != MULTIOME.rna).nnz == 0
    assert (aligned.atac != MULTIOME.atac).nnz == 0
    assert aligned.notes == MULTIOME.notes
    assert aligned.digest == MULTIOME.digest


def test_features_that_the_model_does_not_know_are_left_out() -> None:
    known = MULTIOME.take_features(np.arange(2, 9), np.array([0, 5, 6]))
    aligned = model_of(known).align(MULTIOME)
    assert aligned.genes.index.tolist() == known.genes.index.tolist()
    assert (aligned.rna != known.rna).nnz == 0
    assert (aligned.atac != known.atac).nnz == 0
    assert aligned.notes == ()


def test_missing_features_count_as_zero_and_are_reported() -> None:
    aligned = model_of(MULTIOME).align(without(MULTIOME, [3, 7], [0, 59]))
    assert aligned.genes.index.tolist() == MULTIOME.genes.index.tolist()
    wanted_rna, wanted_atac = MULTIOME.rna.toarray(), MULTIOME.atac.toarray()
    wanted_rna[:, [3, 7]] = 0
    wanted_atac[:, [0, 59]] = 0
    np.testing.assert_array_equal(aligned.rna.toarray(), wanted_rna)
    np.testing.assert_array_equal(aligned.atac.toarray(), wanted_atac)
    gene, peak = MULTIOME.genes.index[3], MULTIOME.peaks.index[0]
    assert aligned.notes == (
        f"2 of the model's 25 genes are not in this data set (the first is {gene}): counted as zero.",
        f"2 of the model's 60 peaks are not in this data set (the first is {peak}): counted as zero.",
    )


def test_too_little_overlap_is_refused_unless_less_is_asked_for() -> None:
    model, fewer = model_of(MULTIOME), without(MULTIOME, [], list(range(10, 25)))
    with pytest.raises(CheckpointError) as raised:
        model.align(fewer)
    assert str(raised.value).startswith(
        "The data set has 25 of the model's 25 genes (100.0%) and 45 of the model's 60 peaks (75.0%); wanted at least "
        f"80% of each. The first that is missing: {MULTIOME.peaks.index[10]} of the peaks."
    )
    assert "--min-overlap" in str(raised.value)
    assert "15 of the model's 60 peaks" in model.align(fewer, 0.75).notes[0]
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        model.align(MULTIOME, 1.5)


def test_nothing_in_common_is_refused_whatever_is_asked_for() -> None:
    other = replace(MULTIOME, genes=MULTIOME.genes.set_index("ENSMUSG" + MULTIOME.genes.index).assign(name="same"))
    with pytest.raises(CheckpointError, match=r"0 of the model's 25 genes \(0\.0%\).*same kind of gene ids"):
        model_of(MULTIOME).align(other, 0)


def test_genes_elsewhere_in_the_genome_are_refused() -> None:
    moved = replace(MULTIOME, genes=MULTIOME.genes.assign(start=MULTIOME.genes["start"] + 1))
    with pytest.raises(CheckpointError, match="25 genes lie elsewhere in this data set than in the model"):
        model_of(MULTIOME).align(moved)


def test_genes_of_other_ids_are_matched_by_symbol() -> None:
    symbols = replace(MULTIOME, genes=MULTIOME.genes.set_axis(pd.Index(MULTIOME.genes["name"], name=None)))
    aligned = model_of(MULTIOME).align(symbols)
    assert aligned.genes.index.tolist() == MULTIOME.genes.index.tolist()
    assert (aligned.rna != MULTIOME.rna).nnz == 0
    assert "the genes are matched by symbol" in aligned.notes[0]


def test_some_ids_in_common_rule_out_symbols() -> None:
    names = MULTIOME.genes["name"].to_list()
    mixed = replace(MULTIOME, genes=MULTIOME.genes.set_axis(pd.Index([MULTIOME.genes.index[0], *names[1:]])))
    with pytest.raises(CheckpointError, match=r"1 of the model's 25 genes \(4\.0%\)"):
        model_of(MULTIOME).align(mixed)


def test_chromosomes_without_chr_are_matched() -> None:
    def bare(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(chrom=table["chrom"].str.removeprefix("chr"))

    peaks = bare(MULTIOME.peaks).set_axis(MULTIOME.peaks.index.str.removeprefix("chr"))
    aligned = model_of(MULTIOME).align(replace(MULTIOME, genes=bare(MULTIOME.genes), peaks=peaks))
    assert aligned.peaks.index.tolist() == MULTIOME.peaks.index.tolist()
    assert (aligned.atac != MULTIOME.atac).nnz == 0
    assert "matched without the chr" in aligned.notes[0]


def test_sequences_of_missing_peaks_are_unknown_bases() -> None:
    dna = np.random.default_rng(0).choice(np.array([0.25, 0.5], dtype=np.float32), (60, 256))
    aligned = model_of(MULTIOME).align(without(replace(MULTIOME, peak_dna=dna), [], [4]))
    assert aligned.peak_dna is not None
    assert not aligned.peak_dna[4].any()
    np.testing.assert_array_equal(np.delete(aligned.peak_dna, 4, axis=0), np.delete(dna, 4, axis=0))


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 24), max_size=12), st.sets(st.integers(0, 59), max_size=30), st.sampled_from([1, 2]))
def test_attention_is_that_of_the_cells_with_those_counts_at_zero(
    genes: set[int], peaks: set[int], layers: int
) -> None:
    """Missing columns and columns of zeros are the same cell to the network, node by node."""
    model = model_of(MULTIOME, layers)
    zeroed = replace(MULTIOME, rna=emptied(MULTIOME.rna, genes), atac=emptied(MULTIOME.atac, peaks))
    aligned = model.align(without(MULTIOME, sorted(genes), sorted(peaks)), 0.0)
    layout = model.network.layout
    for cell in range(MULTIOME.n_cells):
        batches = [
            collate([cell_graph(each, cell, cell)], layout.gene_chromosome, layout.peak_chromosome)
            for each in (zeroed, aligned)
        ]
        with torch.no_grad():
            (wanted, wanted_attention), (found, found_attention) = (model.network(batch) for batch in batches)
        assert torch.equal(wanted, found)
        for one, other in zip(wanted_attention, found_attention, strict=True):
            assert torch.equal(one.weight, other.weight)
            assert torch.equal(one.peak, other.peak)


def test_shared_links_have_the_models_logits(tmp_path) -> None:
    """One layer: the logit of a gene and a peak does not depend on which others are there."""
    model = model_of(MULTIOME)
    stores = [
        precompute(model, cells, tmp_path / name, BuildOptions(k_max=60), progress=False)
        for name, cells in (("all.h5", MULTIOME), ("fewer.h5", without(MULTIOME, [3, 7], [0, 20, 59])))
    ]
    assert check_store(stores[1]) == []
    with StoreReader.open(stores[0]) as whole, StoreReader.open(stores[1]) as fewer:
        assert any("counted as zero" in note for note in fewer.attributes.notes)
        n_links = 0
        for cell in range(MULTIOME.n_cells):
            links = [
                {
                    (int(gene), int(peak)): float(logit)
                    for gene, peak, logit in zip(found.gene[found.row], found.peak, found.logit, strict=True)
                }
                for found in (whole.attention(cell), fewer.attention(cell))
            ]
            gone = {key for key in links[0] if key[0] in {3, 7} or key[1] in {0, 20, 59}}
            assert set(links[1]) == set(links[0]) - gone
            for key, logit in links[1].items():
                assert logit == pytest.approx(links[0][key], rel=1e-5)
            n_links += len(links[1])
        assert n_links > 100


def test_a_cell_left_without_any_feature_is_kept_without_links(tmp_path) -> None:
    rna = MULTIOME.rna.toarray()
    rna[0] = 0
    rna[0, 3] = 2
    one_gene = replace(MULTIOME, rna=sparse.csr_matrix(rna))
    store = precompute(model_of(MULTIOME), without(one_gene, [3], []), tmp_path / "m.h5", progress=False)
    with StoreReader.open(store) as reader:
        assert len(reader.attention(0).peak) == 0
        assert reader.n_cells == MULTIOME.n_cells
    assert check_store(store) == []
