import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiomes import random_multiome

from bi2scope.data.multiome import GENE_ATTRIBUTES, Multiome
from bi2scope.data.regions import natural_chromosome_order


def test_chromosome_codes_follow_the_natural_order():
    multiome = random_multiome(chromosomes=("chrX", "chr10", "chr2"))
    assert multiome.chromosomes == ("chr2", "chr10", "chrX")
    for table, codes in ((multiome.genes, multiome.gene_chromosome), (multiome.peaks, multiome.peak_chromosome)):
        assert [multiome.chromosomes[code] for code in codes] == list(table["chrom"])
        assert (np.diff(codes) >= 0).all()
        assert codes.dtype == np.int64


def test_the_order_of_chromosomes_is_that_of_regions():
    multiome = random_multiome(3)
    assert list(multiome.chromosomes) == natural_chromosome_order(multiome.peaks["chrom"])


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_digest_tells_data_sets_apart(first, second):
    digests = random_multiome(first).digest, random_multiome(second).digest
    assert (digests[0] == digests[1]) == (first == second)


def spoilt(multiome: Multiome, what: str) -> Multiome:
    """The same data set with one thing changed."""
    if what in ("rna", "atac"):
        counts = getattr(multiome, what).copy()
        counts.data[0] += 1
        return dataclasses.replace(multiome, **{what: counts})
    table = getattr(multiome, what).copy()
    if what == "cells":
        table["cell_type"] = table["cell_type"].to_numpy()[::-1]
    else:
        table.iloc[0, table.columns.get_loc("end")] += 1
    return dataclasses.replace(multiome, **{what: table})


@pytest.mark.parametrize("what", ["cells", "genes", "peaks", "rna", "atac"])
def test_one_change_changes_the_digest(what):
    multiome = random_multiome()
    assert spoilt(multiome, what).digest != multiome.digest


def test_attributes_and_notes_do_not_enter_the_digest():
    multiome = random_multiome()
    genes = multiome.genes.assign(means=0.0)
    assert dataclasses.replace(multiome, genes=genes, notes=("read",)).digest == multiome.digest


@given(st.integers(0, 1000), st.data())
def test_taking_cells_takes_the_rows(seed, data):
    multiome = random_multiome(seed)
    chosen = data.draw(st.lists(st.integers(0, 11), min_size=1, unique=True))
    taken = multiome.take_cells(chosen)
    assert list(taken.cells.index) == [multiome.cells.index[cell] for cell in chosen]
    np.testing.assert_array_equal(taken.rna.toarray(), multiome.rna.toarray()[chosen])
    np.testing.assert_array_equal(taken.atac.toarray(), multiome.atac.toarray()[chosen])
    assert taken.n_cells == len(chosen)


@given(st.integers(0, 1000), st.data())
def test_taking_features_takes_the_columns_and_keeps_the_form(seed, data):
    multiome = random_multiome(seed)
    genes = sorted(data.draw(st.sets(st.integers(0, multiome.n_genes - 1), min_size=1)))
    peaks = sorted(data.draw(st.sets(st.integers(0, multiome.n_peaks - 1), min_size=1)))
    taken = multiome.take_features(genes, peaks)
    np.testing.assert_array_equal(taken.rna.toarray(), multiome.rna.toarray()[:, genes])
    np.testing.assert_array_equal(taken.atac.toarray(), multiome.atac.toarray()[:, peaks])
    assert list(taken.genes.index) == list(multiome.genes.index[genes])
    assert list(taken.peaks.index) == list(multiome.peaks.index[peaks])
    assert taken.rna.has_sorted_indices
    assert taken.atac.has_sorted_indices
    assert set(taken.chromosomes) == {*taken.genes["chrom"], *taken.peaks["chrom"]}


def test_attributes_are_columns_of_the_genes():
    assert set(GENE_ATTRIBUTES) <= set(random_multiome().genes.columns)
