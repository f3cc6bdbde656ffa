import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from multiomes import random_multiome

from bi2scope.data.graph import cell_graph


@given(st.integers(0, 1000), st.integers(0, 11), st.integers(0, 11))
def test_nodes_are_the_nonzero_counts_of_the_two_cells(seed, rna_cell, atac_cell):
    multiome = random_multiome(seed)
    graph = cell_graph(multiome, rna_cell, atac_cell)
    genes, peaks = np.zeros(multiome.n_genes), np.zeros(multiome.n_peaks)
    genes[graph.gene_index], peaks[graph.peak_index] = graph.gene_count, graph.peak_count
    np.testing.assert_array_equal(genes, multiome.rna[[rna_cell]].toarray()[0])
    np.testing.assert_array_equal(peaks, multiome.atac[[atac_cell]].toarray()[0])
    assert (graph.gene_count != 0).all()
    assert (graph.peak_count != 0).all()


def test_nodes_are_in_genome_order_and_of_the_types_promised():
    graph = cell_graph(random_multiome(), 3, 5)
    assert (np.diff(graph.gene_index) > 0).all()
    assert (np.diff(graph.peak_index) > 0).all()
    assert graph.gene_index.dtype == graph.peak_index.dtype == np.int64
    assert graph.gene_count.dtype == graph.peak_count.dtype == np.float32


def test_a_graph_is_free_of_the_matrix_it_came_from():
    multiome = random_multiome()
    before = multiome.rna.copy()
    graph = cell_graph(multiome, 0, 0)
    graph.gene_count[:] = -1
    assert (multiome.rna != before).nnz == 0
