import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulations import few, simulated

from bi2scope.data.errors import DatasetError, InputError
from bi2scope.data.fit_report import (
    _greatest_distance,
    common_cells,
    compare,
    measure,
    peak_overlap,
    read_cell_measures,
    variance_by_mean,
    write_report,
)
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.simulator import simulate

SHARED = Path(os.environ.get("BI2SCOPE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
CELL_LINES = SHARED / "snare_cellline_mix"


def test_measures_are_those_of_the_dense_counts():
    multiome = simulate(few(), seed=0).multiome
    measures = measure(multiome, "few")
    rna, atac = multiome.rna.toarray(), multiome.atac.toarray()
    assert (measures.cells["genes"].to_numpy() == (rna > 0).sum(axis=1)).all()
    assert (measures.cells["transcripts"].to_numpy() == rna.sum(axis=1)).all()
    assert (measures.cells["fragments"].to_numpy() == atac.sum(axis=1)).all()
    for table, counts in ((measures.genes, rna), (measures.peaks, atac)):
        np.testing.assert_allclose(table["frequency"], (counts > 0).mean(axis=0))
        np.testing.assert_allclose(table["mean"], counts.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(table["variance"], counts.var(axis=0, ddof=1), rtol=1e-5, atol=1e-12)


def test_a_data_set_fits_itself():
    measures = measure(simulated("small").multiome, "small")
    table = compare(measures, measures)
    numbers = table[table["statistic"] != "KS"]
    assert (numbers["simulated"] == numbers["real"]).all()
    assert (table.loc[table["statistic"] == "KS", "simulated"] == 0).all()
    assert {"genes per cell", "peaks per cell", "variance over mean of genes"} <= set(table["quantity"])
    assert table["quantity"].str.startswith("Jaccard").any()


def test_the_greatest_distance_is_that_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, two = rng.integers(0, 9, rng.integers(1, 40)), rng.integers(2, 12, rng.integers(1, 40))
        assert _greatest_distance(one, two) == pytest.approx(stats.ks_2samp(one, two).statistic)


def test_overlap_is_one_of_like_types_and_that_of_chance_of_unlike_ones():
    multiome = simulated("small").multiome
    types = multiome.cells["cell_type"].astype(str)
    largest = types.value_counts().index[0]
    halves = types.where(types != largest, np.where(np.arange(len(types)) % 2, "half one", "half two"))
    cells = multiome.cells.assign(cell_type=pd.Categorical(halves))
    overlap = peak_overlap(dataclasses.replace(multiome, cells=cells))
    assert overlap is not None
    assert (overlap.to_numpy() == overlap.to_numpy().T).all()
    assert (np.diag(overlap) == 1).all()
    others = overlap.drop(columns=["half one", "half two"]).loc["half one"]
    assert overlap.loc["half one", "half two"] > others.max() + 0.1
    assert others.min() > 0.1 / 1.9  # two sets of a tenth, by chance


def test_types_of_one_lineage_overlap_more():
    overlap = peak_overlap(simulated("small").multiome)
    assert overlap is not None
    assert overlap.loc["CD4 Naive", "CD8 Naive"] > overlap.loc["CD4 Naive", "CD14 Mono"] + 0.03


def test_few_cells_have_no_overlap():
    assert peak_overlap(simulate(few(n_cells=25), seed=0).multiome) is None


def test_poisson_counts_have_a_variance_of_their_mean():
    rng = np.random.default_rng(1)
    mean = np.geomspace(0.02, 20, 800)
    counts = rng.poisson(mean, (400, 800))
    features = pd.DataFrame({"mean": counts.mean(axis=0), "variance": counts.var(axis=0, ddof=1)})
    table = variance_by_mean(features)
    assert len(table) > 10
    assert table["q50"].to_numpy() == pytest.approx(1, abs=0.1)
    assert (table["q25"] <= table["q50"]).all()


def test_the_report_is_a_table_a_page_and_figures(tmp_path):
    pair = simulated("small").multiome, simulate("small", n_cells=1_000, seed=2).multiome
    n_cells = common_cells(*pair)
    assert n_cells == min(each.cells["cell_type"].value_counts().min() for each in pair) < 60
    one, two = (measure(each, name, n_cells) for each, name in zip(pair, ("simulated", "another seed"), strict=True))
    page = write_report(one, two, tmp_path / "fit")
    text = page.read_text()
    table = pd.read_csv(tmp_path / "fit" / "fit.csv")
    assert list(table.columns) == ["quantity", "statistic", "simulated", "real"]
    assert text.count("\n| ") == len(table) + 1
    for name in ("cells", "cell-types", "features", "mean-variance", "peak-overlap"):
        assert (tmp_path / "fit" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"]({name}.png)" in text
    # Two seeds of one preset differ in genome and links, not in what they look like.
    distances = table[table["statistic"] == "KS"].set_index("quantity")["simulated"]
    overlap = distances.index.str.startswith("Jaccard")
    assert distances[~overlap].max() < 0.1
    medians = table[table["quantity"].str.startswith("Jaccard") & (table["statistic"] == "50% quantile")]
    assert medians["simulated"].item() == pytest.approx(medians["real"].item(), abs=0.08)


def test_the_page_cannot_be_written_into_a_file(tmp_path):
    (tmp_path / "fit").write_text("here first")
    measures = measure(simulate(few(), seed=0).multiome, "few")
    with pytest.raises(InputError, match="cannot be made"):
        write_report(measures, measures, tmp_path / "fit")


def test_a_table_of_cells_is_compared_as_far_as_it_goes(tmp_path):
    (tmp_path / "cells.csv").write_text("cell,celltype,n_genes,n_counts\na,NK,10,20\nb,NK,12,30\nc,T,9,11\n")
    real = read_cell_measures(tmp_path / "cells.csv", "real")
    ours = measure(simulated("tiny").multiome, "tiny")
    table = compare(ours, real)
    (row,) = table[table["quantity"] == "genes per cell, NK"].itertuples()
    assert row.real == 11
    assert not table["quantity"].str.contains("peaks").any()
    write_report(ours, real, tmp_path / "fit")
    assert sorted(path.name for path in (tmp_path / "fit").iterdir()) == [
        *("cell-types.png", "cells.png", "fit.csv", "fit.md"),
    ]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "cell_type,n_genes\nNK,3\n"])
def test_a_table_that_is_none_of_cells_is_refused(tmp_path, text):
    (tmp_path / "cells.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"cells\.csv"):
        read_cell_measures(tmp_path / "cells.csv", "real")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_cell_measures(tmp_path / "none.csv", "real")


@pytest.mark.slow
@pytest.mark.skipif(not CELL_LINES.is_dir(), reason="needs the real cell lines beside the repository")
def test_simulated_cell_lines_are_like_the_real_ones():
    real = measure(read_h5ad_pair(CELL_LINES / "rna.h5ad", CELL_LINES / "atac.h5ad"), "real")
    ours = measure(simulate("cell_lines", seed=0).multiome, "simulated")
    table = compare(ours, real).set_index(["quantity", "statistic"])
    for quantity in ("genes per cell", "peaks per cell", "ATAC counts per cell"):
        assert table.loc[(quantity, "KS"), "simulated"] < 0.15, quantity
    for kind in ("genes", "peaks"):
        assert table.loc[(f"share of cells with a count, {kind}", "KS"), "simulated"] < 0.25
    medians = table.xs("median", level="statistic")
    assert len(medians) == 16
    seen = medians[medians.index.str.startswith(("genes", "peaks"))]
    assert seen["simulated"].to_numpy() == pytest.approx(seen["real"].to_numpy(), rel=0.15)
