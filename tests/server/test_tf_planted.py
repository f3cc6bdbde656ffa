"""Attention that prefers the sites of factors in their types, from links to the answer: what tracks say of it.

Openness confounds: sites of a factor are opened where it is at work, and an open peak has more links whatever draws
them. So a track is to stand out only where its factor draws attention, and a track of openness alone nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import sparse
from stores import CELL_TYPES, kept_links, tiny_attributes, tiny_multiome

from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter
from bi2scope.data.tracks.comparison import Comparison
from bi2scope.data.tracks.significance import false_discovery_rates
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.params import TrackQuery
from bi2scope.server.tf import Comparisons
from bi2scope.server.tracks import HeldTrack

Found = dict[tuple[str, int], Comparison]
"""By track and type."""

AT_WORK = {"ONE-A": (0,), "ONE-B": (0,), "TWO-A": (1,), "TWO-B": (1,), "THREE": (2,), "SHARED": (0, 2)}
"""Factors, and the types in which each is at work, by their places."""

N_CELLS, N_PEAKS, N_SITES = 36, 1_800, 50
DRAWN, OPENED = 1.0, 0.45
"""What a site adds to the logits of every gene where its factor is at work, and the least share of cells it is open in
there."""


@dataclass(frozen=True)
class Planted:
    """Cells, the sites of each factor and decoy, and ``(n_types, n_peaks)`` what a peak adds to logits in a type."""

    cells: Multiome
    sites: dict[str, npt.NDArray[np.int64]]
    drawn: npt.NDArray[np.float64]


def planted() -> Planted:
    rng = np.random.default_rng(3)
    cells = tiny_multiome(N_CELLS, n_genes=60, n_peaks=N_PEAKS)
    codes = cells.cells["cell_type"].cat.codes.to_numpy()
    share, drawn = rng.beta(0.8, 3, (len(CELL_TYPES), N_PEAKS)), np.zeros((len(CELL_TYPES), N_PEAKS))
    of_factors = rng.permutation(N_PEAKS)[: len(AT_WORK) * N_SITES].reshape(len(AT_WORK), N_SITES)
    sites = dict(zip(AT_WORK, of_factors, strict=True))
    for factor, types in AT_WORK.items():
        for code in types:
            share[code, sites[factor]] = np.maximum(share[code, sites[factor]], OPENED)
            drawn[code, sites[factor]] = DRAWN
    other = np.setdiff1d(np.arange(N_PEAKS), of_factors)
    for code in range(len(CELL_TYPES)):
        likely = share[code, other] ** 3
        sites[f"DECOY-OPEN-{code}"] = rng.choice(other, 2 * N_SITES, replace=False, p=likely / likely.sum())
        sites[f"DECOY-RANDOM-{code}"] = rng.choice(other, N_SITES, replace=False)
    opened = sparse.csr_matrix((rng.random((N_CELLS, N_PEAKS)) < share[codes]).astype(np.float32))
    return Planted(replace(cells, atac=opened), sites, drawn)


@pytest.fixture(scope="module")
def truth() -> Planted:
    return planted()


@pytest.fixture(scope="module")
def found(truth: Planted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """Comparison of each track in each type, from the links of a store."""
    path, rng, multiome = tmp_path_factory.mktemp("store") / "planted.h5", np.random.default_rng(4), truth.cells
    codes = multiome.cells["cell_type"].cat.codes.to_numpy()
    whatever_the_type = rng.normal(scale=0.5, size=N_PEAKS)
    with StoreWriter(path, multiome, tiny_attributes(k_max=20)) as writer:
        writer.write_embedding(Embedding(np.zeros((N_CELLS, 2)), "none"))
        for cell in range(N_CELLS):
            graph = cell_graph(multiome, cell, cell)
            gene, peak = graph.gene_index, graph.peak_index
            logits = rng.normal(size=(len(gene), len(peak))) + (whatever_the_type + truth.drawn[codes[cell]])[peak]
            same = multiome.gene_chromosome[gene][:, None] == multiome.peak_chromosome[peak]
            writer.write_cell([[kept_links(logits, same, graph, 20)]])
    with StoreReader.open(path) as reader:
        comparisons, query = Comparisons(Catalogue(reader)), TrackQuery(top_k=10, draws=400)
        held = [HeldTrack.of(f"{name}.bed", bed(multiome.peaks.iloc[places])) for name, places in truth.sites.items()]
        rows = comparisons.results(list(CELL_TYPES), held, query, comparisons.peaks_compared(query))
        yield {(name, code): row[i] for code, row in enumerate(rows) for i, name in enumerate(truth.sites)}


def bed(peaks: pd.DataFrame) -> bytes:
    rows = zip(peaks["chrom"], peaks["start"], peaks["end"], strict=True)
    return "".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in rows).encode()


def z_of(comparison: Comparison) -> float:
    chance = comparison.measures["auroc"].matched
    assert chance is not None
    assert chance.z is not None
    return chance.z


def p_of(comparison: Comparison) -> float:
    chance = comparison.measures["auroc"].matched
    assert chance is not None
    return chance.p


def test_a_factor_stands_out_where_it_is_at_work_and_nowhere_else(found: Found) -> None:
    for factor, at_work in AT_WORK.items():
        z = [z_of(found[factor, code]) for code in range(len(CELL_TYPES))]
        idle = set(range(len(CELL_TYPES))) - set(at_work)
        assert min(z[code] for code in at_work) > 4 > 2 > max(z[code] for code in idle), (factor, z)


def test_beyond_accessibility_the_factors_at_work_score_highest_in_each_type_and_decoys_do_not(found: Found) -> None:
    for code in range(len(CELL_TYPES)):
        of_type = {name: each for (name, of), each in found.items() if of == code}
        at_work = {name for name in of_type if code in AT_WORK.get(name, ())}
        rates = dict(zip(of_type, false_discovery_rates([p_of(each) for each in of_type.values()]), strict=True))
        assert {name for name, rate in rates.items() if rate < 0.05 and z_of(of_type[name]) > 0} == at_work
        for measure in ("partial_pearson", "partial_spearman", "residual_auroc"):
            value = {name: each.gains[measure].value or 0.0 for name, each in of_type.items()}
            highest = max(value[name] for name in set(value) - at_work)
            assert min(value[name] for name in at_work) > highest + 0.1 * abs(highest), measure
        for name in at_work:
            low = of_type[name].gains["residual_auroc"].low
            assert low is not None
            assert low > 0.6


def test_a_track_of_openness_alone_agrees_with_the_scores_and_says_nothing_more(found: Found) -> None:
    decoys = [found[f"DECOY-OPEN-{code}", code] for code in range(len(CELL_TYPES))]
    for each in decoys:
        shift, value = each.measures["auroc"].shift, each.measures["auroc"].value
        assert shift is not None
        assert value is not None
        assert shift.p < 0.05
        assert value > 0.55
        assert z_of(each) < 2  # below 0, if anything: peaks as open as these are sites of factors at work
        accessibility = each.beside["accessibility"]["auroc"]
        assert accessibility is not None
        assert accessibility > 0.7  # as open as sites of factors at work
