import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from multiomes import random_multiome

from bi2scope.data.errors import DatasetError
from bi2scope.model.export import EDGE, hetero_data, same_chromosome

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch_geometric calls functions that torch has deprecated
    from torch_geometric.data import Batch, HeteroData
    from torch_geometric.loader import DataLoader

STRAND = {"+": 1.0, "-": 0.0, ".": 0.0}


@pytest.mark.parametrize("cell", [0, 5, 11])
def test_a_cell_is_its_open_features_with_their_attributes(cell: int) -> None:
    multiome = random_multiome(2)
    data = hetero_data(multiome, cell)
    assert isinstance(data, HeteroData)
    assert data.validate()
    assert (data.cell, data.cell_type) == (multiome.cells.index[cell], multiome.cells["cell_type"].iloc[cell])
    rna, atac = multiome.rna.toarray()[cell], multiome.atac.toarray()[cell]
    genes, peaks = [i for i, count in enumerate(rna) if count], [i for i, count in enumerate(atac) if count]
    assert data["gene"].feature.tolist() == genes
    assert data["peak"].feature.tolist() == peaks
    expected = []
    for i in genes:
        gene = multiome.genes.iloc[i]
        expected.append([rna[i], gene.means, gene.variances_norm, STRAND[gene.strand], float(gene.highly_variable)])
    np.testing.assert_allclose(data["gene"].x.numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(data["peak"].x.numpy(), atac[peaks][:, None])
    for kind, table, chosen in (("gene", multiome.genes, genes), ("peak", multiome.peaks, peaks)):
        assert data[kind].x.dtype == torch.float32
        assert data[kind].name == table.index[chosen].tolist()
        named = [multiome.chromosomes[code] for code in data[kind].chromosome]
        assert named == table["chrom"].iloc[chosen].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_edges_are_the_pairs_of_one_chromosome(seed: int) -> None:
    multiome = random_multiome(seed)
    data = hetero_data(multiome, 3)
    expected = []
    for gene, i in enumerate(data["gene"].feature):
        for peak, j in enumerate(data["peak"].feature):
            if multiome.genes["chrom"].iloc[int(i)] == multiome.peaks["chrom"].iloc[int(j)]:
                expected.append([gene, peak])
    assert expected
    assert data[EDGE].edge_index.T.tolist() == expected
    assert not data.is_undirected()


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)))
def test_pairs_of_one_chromosome_agree_with_a_double_loop(gene: list[int], peak: list[int]) -> None:
    gene, peak = sorted(gene), sorted(peak)
    expected = [[i, j] for i, one in enumerate(gene) for j, other in enumerate(peak) if one == other]
    assert same_chromosome(np.array(gene, dtype=int), np.array(peak, dtype=int)).T.tolist() == expected


def test_edges_are_made_on_demand() -> None:
    data = hetero_data(random_multiome(1), 0, edges=False)
    assert data.edge_types == []
    assert data.node_types == ["gene", "peak"]


def test_sequences_follow_the_count() -> None:
    multiome = random_multiome(1)
    dna = np.random.default_rng(0).choice([0.25, 0.5, 0.75, 1], (multiome.n_peaks, 256)).astype(np.float32)
    peaks = hetero_data(replace(multiome, peak_dna=dna), 4)["peak"]
    assert peaks.x.shape == (len(peaks.feature), 257)
    np.testing.assert_array_equal(peaks.x[:, 1:].numpy(), dna[peaks.feature])


def test_cells_make_a_batch_of_torch_geometric() -> None:
    multiome = random_multiome(3)
    cells = [hetero_data(multiome, cell) for cell in range(4)]
    batch = Batch.from_data_list(cells)
    assert batch.validate()
    assert batch.num_graphs == 4
    n_genes, n_peaks = (np.cumsum([0, *(len(cell[kind].feature) for cell in cells)]) for kind in ("gene", "peak"))
    for kind in ("gene", "peak"):
        for column in ("x", "feature", "chromosome"):
            assert torch.equal(batch[kind][column], torch.cat([cell[kind][column] for cell in cells]))
    shifted = [
        cell[EDGE].edge_index + torch.tensor([[int(gene)], [int(peak)]])
        for cell, gene, peak in zip(cells, n_genes[:-1], n_peaks[:-1], strict=True)
    ]
    assert torch.equal(batch[EDGE].edge_index, torch.cat(shifted, dim=1))
    assert [one.cell for one in DataLoader(cells, batch_size=2)] == [
        [c.cell for c in cells[:2]],
        [c.cell for c in cells[2:]],
    ]


@pytest.mark.parametrize("cell", [-1, 12])
def test_a_cell_that_is_not_there_is_named(cell: int) -> None:
    with pytest.raises(DatasetError, match=f"There is no cell {cell}: the data set has 12"):
        hetero_data(random_multiome(), cell)


def test_torch_geometric_is_loaded_when_it_is_used() -> None:
    code = "import sys, bi2scope.model.export; sys.exit('torch_geometric' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
