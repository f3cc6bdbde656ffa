"""The bundled cells: what they are, and that they are those of the collection they were compared with."""

import hashlib
import os
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pytest

from bi2scope.data.errors import DatasetError
from bi2scope.data.examples import pair
from bi2scope.data.examples.pair import example_pair
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.regions import parse_peak_name

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("BI2SCOPE_SHARED_DIR", ROOT.parent / "shared")) / "data" / "snare_cellline_mix"


@pytest.fixture(scope="module")
def cells():
    return read_h5ad_pair(*example_pair())


def test_they_are_the_cells_promised(cells):
    assert cells.cells["cell_type"].value_counts().to_dict() == {"H1": 385, "BJ": 326, "K562": 198, "GM12878": 138}
    assert (cells.n_genes, cells.n_peaks) == (8795, 26391)
    assert cells.notes == ("471 of 9266 genes have no place on a chromosome: left out.",)
    assert cells.digest == "0bb1bafb6a67bd929d63c904683e890d5cdb60d41fe637deb24fc25571975ef9"


def test_genes_and_peaks_are_seen_in_ten_cells(cells):
    assert np.bincount(cells.rna.indices, minlength=cells.n_genes).min() >= 10
    assert np.bincount(cells.atac.indices, minlength=cells.n_peaks).min() >= 10


def test_known_genes_stand_where_ensembl_has_them(cells):
    """GATA1 (K562) and POU5F1 (H1) on GRCh38, Ensembl 93, from 1-based closed to 0-based half-open."""
    gata1, pou5f1 = cells.genes.loc["GATA1"], cells.genes.loc["POU5F1"]
    assert (gata1["chrom"], gata1["strand"]) == ("chrX", "+")
    assert (gata1["start"], gata1["end"]) == (48786553, 48794311)
    assert (pou5f1["chrom"], pou5f1["strand"]) == ("chr6", "-")
    mean = {gene: cells.rna[:, [cells.genes.index.get_loc(gene)]].toarray()[:, 0] for gene in ("GATA1", "POU5F1")}
    types = cells.cells["cell_type"].to_numpy()
    assert max(cells.cell_types, key=lambda kind: mean["GATA1"][types == kind].mean()) == "K562"
    assert max(cells.cell_types, key=lambda kind: mean["POU5F1"][types == kind].mean()) == "H1"


def test_the_files_are_small_documented_and_say_where_they_are_from():
    readme = (ROOT / "data" / "examples" / "README.md").read_text()
    assert sum(path.stat().st_size for path in example_pair()) <= 8e6
    for path in example_pair():
        assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
        assert f"{path.stat().st_size:,}" in readme
        source = anndata.read_h5ad(path, backed="r").uns["source"]
        assert "GSE126074" in source["cells"]
        assert "scPECA 2.0" in source["counts"]


def test_reading_them_is_quick_and_needs_no_scanpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scanpy", None)
    started = time.process_time()
    read_h5ad_pair(*example_pair())
    assert time.process_time() - started < 5


def test_a_missing_file_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(pair, "__file__", str(tmp_path / "pair.py"))
    with pytest.raises(DatasetError, match=r"The example cells are not installed: .*rna.h5ad is missing"):
        example_pair()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real data is not beside the repository")
class TestAgainstTheCollection:
    """The same cells, joined with coordinates on another occasion (which kept Ensembl's 1-based starts)."""

    def test_counts_agree(self):
        for path, name in zip(example_pair(), ("rna", "atac"), strict=True):
            ours, theirs = anndata.read_h5ad(path), anndata.read_h5ad(SHARED / f"{name}.h5ad")
            assert set(ours.obs_names) == set(theirs.obs_names)
            kept = np.asarray((theirs.X != 0).sum(axis=0)).ravel() >= 10
            assert set(ours.var_names) == set(theirs.var_names[kept])
            assert (ours.X != theirs[ours.obs_names, ours.var_names].X).nnz == 0
            assert (ours.obs["cell_type"].astype(str) == theirs.obs["cell_type"].astype(str)[ours.obs_names]).all()

    def test_places_of_the_genes_agree(self):
        ours = anndata.read_h5ad(example_pair()[0]).var
        theirs = anndata.read_h5ad(SHARED / "rna.h5ad").var.loc[ours.index]
        assert (ours["chrom"].isna() == theirs["chrom"].isna()).all()
        ours, theirs = ours[ours["chrom"].notna()], theirs[theirs["chrom"].notna()]
        assert (ours["chrom"].astype(str) == theirs["chrom"].astype(str).replace("chrMT", "chrM")).all()
        one_gene = ours["chromEnd"] == theirs["chromEnd"]  # a few symbols have several genes
        assert one_gene.mean() > 0.99
        assert (ours["chromStart"] + 1 == theirs["chromStart"])[one_gene].all()
        assert (ours["strand"].astype(str) == theirs["strand"].astype(str))[one_gene].all()

    def test_peaks_are_named_by_their_places(self):
        var = anndata.read_h5ad(example_pair()[1]).var
        places = [parse_peak_name(name) for name in var.index[:500]]
        assert places == list(var.iloc[:500][["chrom", "chromStart", "chromEnd"]].itertuples(index=False, name=None))
