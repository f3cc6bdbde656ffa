import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from simulations import few, simulated

from bi2scope.data.errors import ConfigurationError, InputError
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.regions import read_bed
from bi2scope.data.simulation.genome import Genome
from bi2scope.data.simulation.programs import _pairs_within
from bi2scope.data.simulator import simulate, write


def test_the_pair_is_read_back_as_it_was(tmp_path):
    data = simulated("tiny")
    folder = write(data, tmp_path / "tiny")
    read = read_h5ad_pair(folder / "rna.h5ad", folder / "atac.h5ad")
    assert read.digest == data.digest == data.multiome.digest
    assert (read.n_cells, read.n_genes, read.n_peaks) == (200, 500, 2_000)
    assert read.notes == data.multiome.notes
    assert len(read.notes) == 1, "reading found something to change"
    pd.testing.assert_frame_equal(read.genes, data.multiome.genes)
    pd.testing.assert_frame_equal(read.cells, data.cells)


def test_the_truth_is_read_back_as_it_was(tmp_path):
    data = simulated("tiny")
    folder = write(data, tmp_path / "tiny")
    for name, table in (("truth_links", data.links), ("tf_targets", data.targets)):
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"{name}.csv"), table, check_dtype=False)
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "tf_activity.csv", index_col="tf"), data.activity, check_dtype=False
    )
    assert len(list((folder / "tf").iterdir())) == len(data.tracks)
    for track in data.tracks:
        bed = read_bed(folder / "tf" / f"{track.factor}.{track.cell_type.replace(' ', '_')}.bed")
        assert bed.score_column == "score"
        wanted = track.intervals.drop(columns="name").reset_index(drop=True)
        pd.testing.assert_frame_equal(bed.intervals, wanted, check_dtype=False)


def test_metadata_holds_all_that_the_data_set_can_be_made_again_from(tmp_path):
    data = simulated("tiny")
    folder = write(data, tmp_path / "tiny")
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["seed"] == 1
    assert metadata["dataset_digest"] == data.digest
    assert metadata["configuration"] == json.loads(json.dumps(data.config.as_dict()))
    page = (folder / "README.md").read_text()
    assert "200 cells, 500 genes, 2,000 peaks" in page
    for name in ("rna.h5ad", "truth_links.csv", "tf_targets.csv", "tf_activity.csv", "metadata.json"):
        assert name in page
        assert (folder / name).is_file()


def test_the_same_seed_gives_the_same_data_and_another_does_not():
    one, same, other = simulate("tiny", seed=5), simulate("tiny", seed=5), simulate("tiny", seed=6)
    assert one.digest == same.digest != other.digest
    pd.testing.assert_frame_equal(one.links, same.links)
    assert (one.cell_activity == same.cell_activity).all()
    for ours, theirs in zip(one.tracks, same.tracks, strict=True):
        pd.testing.assert_frame_equal(ours.intervals, theirs.intervals)
    assert list(one.genes["start"]) != list(other.genes["start"])


def test_genome_and_truth_do_not_depend_on_the_number_of_cells():
    one, two = simulate("tiny", n_cells=20, seed=5), simulate("tiny", n_cells=30, seed=5)
    assert (len(one.cells), len(two.cells)) == (20, 30)
    pd.testing.assert_frame_equal(one.peaks, two.peaks)
    pd.testing.assert_frame_equal(one.links, two.links)


def test_every_type_has_cells_by_its_share():
    data = simulate("small", n_cells=300, seed=0)
    sizes = data.cells["cell_type"].value_counts()
    total = sum(each.share for each in data.config.cell_types)
    for each in data.config.cell_types:
        assert sizes[each.name] == pytest.approx(300 * each.share / total, abs=1)
    scarce = simulate("small", n_cells=9, seed=0)
    assert (scarce.cells["cell_type"].value_counts() >= 1).all()


def standardised(counts: sparse.csr_matrix, types: np.ndarray) -> np.ndarray:
    """Depth-normalised logs, without what the cell type explains; columns of mean 0 and variance 1."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    values = np.log1p((sparse.diags(1_000 / totals) @ counts).toarray())
    for each in np.unique(types):
        values[types == each] -= values[types == each].mean(axis=0)
    spread = values.std(axis=0)
    return values / np.where(spread > 0, spread, 1)


def test_planted_pairs_correlate_within_types_more_than_unplanted_ones_as_far_apart():
    data = simulated("small")
    gene, peak, distance = _pairs_within(
        data.config.max_distance,
        Genome(data.genes, data.peaks, np.empty(0, np.int64)),
        np.arange(data.config.n_peaks),
    )
    often = [np.asarray((counts > 0).sum(axis=0)).ravel() >= 30 for counts in (data.rna, data.atac)]
    usable = often[0][gene] & often[1][peak]
    gene, peak, distance = gene[usable], peak[usable], np.abs(distance[usable])
    planted = np.asarray(data.programs.effects[gene, peak]).ravel() > 0
    bins = np.digitize(distance, [1_000, 5_000, 20_000, 50_000, 100_000, 200_000])
    rng = np.random.default_rng(0)
    one, other = [], []
    for each in range(7):  # as many unplanted pairs as planted ones from every bin of distance
        here, there = np.flatnonzero(planted & (bins == each)), np.flatnonzero(~planted & (bins == each))
        assert len(there) > len(here) > 20
        one.append(here)
        other.append(rng.choice(there, len(here), replace=False))
    types = data.cells["cell_type"].cat.codes.to_numpy()
    rna, atac = standardised(data.rna, types), standardised((data.atac > 0).astype(float), types)
    linked, unlinked = (
        (rna[:, gene[rows]] * atac[:, peak[rows]]).mean(axis=0) for rows in (np.concatenate(one), np.concatenate(other))
    )
    test = stats.mannwhitneyu(linked, unlinked, alternative="greater")
    assert test.pvalue < 1e-50
    assert test.statistic / (len(linked) * len(unlinked)) > 0.7  # chance that a planted pair correlates more
    assert abs(unlinked.mean()) < 0.005


def test_cells_of_one_type_match_their_own_other_half():
    """Hard mismatches can be told from matched pairs through the planted links, so there is something to learn."""
    data = simulated("small")
    types = data.cells["cell_type"].cat.codes.to_numpy()
    rna, atac = standardised(data.rna, types), standardised((data.atac > 0).astype(float), types)
    links = data.programs.links
    cells = np.flatnonzero(types == np.bincount(types).argmax())
    agreement = rna[np.ix_(cells, links["gene"])] @ atac[np.ix_(cells, links["peak"])].T
    own, others = np.diag(agreement), agreement[~np.eye(len(cells), dtype=bool)]
    test = stats.mannwhitneyu(own, others, alternative="greater")
    assert test.statistic / (len(own) * len(others)) > 0.75


@pytest.mark.parametrize("seed", [-1, 1.5, True, "one"])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ConfigurationError, match="seed is"):
        simulate("tiny", seed=seed)


def test_a_number_of_cells_that_is_none_is_refused():
    with pytest.raises(ConfigurationError, match="n_cells is 0"):
        simulate("tiny", n_cells=0)


def test_a_folder_with_other_files_is_never_touched(tmp_path):
    data = simulate(few(), seed=0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds other files"):
            write(data, tmp_path / "mine", overwrite=overwrite)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"
    with pytest.raises(InputError, match="does not exist"):
        write(data, tmp_path / "no" / "such")
    with pytest.raises(InputError, match="is a file"):
        write(data, tmp_path / "mine" / "thesis.txt")


def test_a_simulated_data_set_is_replaced_when_asked_and_whole_when_it_fails(tmp_path, monkeypatch):
    one, two = simulate(few(), seed=0), simulate(few(), seed=1)
    folder = write(one, tmp_path / "data")
    with pytest.raises(InputError, match="--overwrite"):
        write(two, folder)

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr("bi2scope.data.simulator.write_tracks", fail)
        with pytest.raises(OSError, match="disk full"):
            write(two, folder, overwrite=True)
    assert json.loads((folder / "metadata.json").read_text())["seed"] == 0
    write(two, folder, overwrite=True)
    assert json.loads((folder / "metadata.json").read_text())["seed"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
