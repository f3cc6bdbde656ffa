"""Every format gives the same data set: what one wrote and another read is the same, whole."""

from __future__ import annotations

import gzip
from dataclasses import replace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from formats import FORMATS, write_10x_folder, write_10x_h5, write_as, write_h5mu, write_modalities
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multiomes import as_anndata, random_multiome, write_h5ad_pair

from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.multiome import GENE_ATTRIBUTES
from bi2scope.data.prepared import read_prepared, write_prepared
from bi2scope.data.reading import read, read_multiome, recognised
from bi2scope.data.source import Source

SHAPES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "n_cells": st.integers(3, 30),
        "n_genes": st.integers(4, 20),
        "n_peaks": st.integers(4, 40),
        "density": st.sampled_from([0.05, 0.4, 0.9]),
    }
)


def check_same(found, expected, *, attributes=True):
    assert found.digest == expected.digest
    columns = [name for name in expected.genes if attributes or name not in GENE_ATTRIBUTES]
    for ours, theirs in (
        (found.cells, expected.cells),
        (found.genes[columns], expected.genes[columns]),
        (found.peaks, expected.peaks),
    ):
        pd.testing.assert_frame_equal(
            ours, theirs, check_dtype=False, check_index_type=False, check_column_type=False, check_names=True
        )


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SHAPES)
def test_every_format_gives_the_same_data_set(tmp_path_factory, shape):
    multiome = random_multiome(**shape)
    folder = tmp_path_factory.mktemp("formats")
    # 10x files carry no gene attributes: those of all formats are computed alike from the same counts
    from_10x = read_multiome(write_as("10x h5", folder / "10xh5", multiome))
    check_same(from_10x, multiome, attributes=False)
    for kind in ("10x folder", "h5ad"):
        check_same(read_multiome(write_as(kind, folder / kind, multiome)), from_10x)
    for kind in ("pair", "h5mu", "prepared"):
        check_same(read_multiome(write_as(kind, folder / kind, multiome)), multiome)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SHAPES)
def test_a_chain_through_all_formats_changes_nothing(tmp_path_factory, shape):
    folder = tmp_path_factory.mktemp("chain")
    first = multiome = random_multiome(**shape)
    for kind in ("pair", "h5mu", "prepared", "10x h5", "10x folder", "h5ad", "pair"):
        multiome = read_multiome(write_as(kind, folder / f"{kind}{multiome.notes!r:.3}", multiome))
    check_same(multiome, first, attributes=False)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "pair"])
def test_a_format_is_told_by_content_not_by_name(tmp_path, kind):
    source = write_as(kind, tmp_path / "files", random_multiome())
    renamed = tmp_path / "cells.dat"
    source.cells.rename(renamed)
    assert recognised(renamed) == kind
    assert read_multiome(replace(source, cells=renamed)).digest == random_multiome().digest


def test_what_was_read_is_measured(tmp_path):
    multiome = random_multiome()
    rna, atac = as_anndata(multiome)
    rna.var["chrom"] = rna.var["chrom"].astype(object).where(np.arange(rna.n_vars) > 2, None)
    rna.write_h5ad(tmp_path / "rna.h5ad")
    atac.write_h5ad(tmp_path / "atac.h5ad")
    reading = read(Source(rna=tmp_path / "rna.h5ad", atac=tmp_path / "atac.h5ad"))
    assert (reading.format, reading.n_cells, reading.n_genes, reading.n_peaks) == ("pair of .h5ad files", 12, 15, 30)
    assert reading.multiome.n_genes == 12


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize("given_paths", [{}, {"rna"}, {"atac"}, {"cells", "rna"}, {"cells", "rna", "atac"}])
def test_files_that_make_no_data_set(tmp_path, given_paths):
    with pytest.raises(ConfigurationError, match="Wanted --rna and --atac, or --cells; found"):
        Source(**dict.fromkeys(given_paths, tmp_path))


def test_options_that_exclude_each_other(tmp_path):
    with pytest.raises(ConfigurationError, match="--labels and --cell-type exclude each other"):
        Source(cells=tmp_path, labels=tmp_path, cell_type="leiden")
    with pytest.raises(ConfigurationError, match="--peak-fasta and --genome exclude each other"):
        Source(cells=tmp_path, peak_fasta=tmp_path, genome=tmp_path)


def test_a_prepared_file_takes_no_further_options(tmp_path):
    source = write_as("prepared", tmp_path, random_multiome())
    with pytest.raises(ConfigurationError, match="is a prepared file and takes no --genes or --rna-layer"):
        read_multiome(replace(source, genes=tmp_path / "g.gtf", rna_layer="counts"))


def test_a_10x_file_has_no_layers(tmp_path):
    source = write_as("10x h5", tmp_path, random_multiome())
    with pytest.raises(ConfigurationError, match=r"is a 10x \.h5 and has no layers"):
        read_multiome(replace(source, atac_layer="counts"))


def test_an_attention_store_is_not_taken_for_cells(tmp_path):
    from stores import tiny_store

    tiny_store(tmp_path / "store.h5")
    with pytest.raises(DatasetError, match="is an attention store, made from cells"):
        read_multiome(Source(cells=tmp_path / "store.h5"))


def test_other_hdf5_files_and_folders_are_named(tmp_path):
    with h5py.File(tmp_path / "loom.h5", "w") as file:
        file["row_attrs"] = 1
    with pytest.raises(DatasetError, match="is none of the files that hold cells; it has row_attrs"):
        read_multiome(Source(cells=tmp_path / "loom.h5"))
    with pytest.raises(DatasetError, match=r"is a folder without a matrix.mtx.gz; it has loom.h5"):
        read_multiome(Source(cells=tmp_path))


def test_one_h5ad_alone_is_not_both(tmp_path):
    rna, _ = write_h5ad_pair(tmp_path, random_multiome())
    with pytest.raises(DatasetError, match="does not say which features are genes and which are peaks") as caught:
        read_multiome(Source(cells=rna))
    assert "--rna and --atac" in caught.value.hint


# ---------------------------------------------------------------- MuData


@pytest.mark.parametrize("names", [("scRNA", "scATAC"), ("gex", "peaks"), ("Gene Expression", "ATAC")])
def test_modalities_under_other_names(tmp_path, names):
    write_h5mu(tmp_path / "m.h5mu", random_multiome(), *names)
    check_same(read_multiome(Source(cells=tmp_path / "m.h5mu")), random_multiome())


def test_a_modality_that_is_missing_is_named_with_those_there(tmp_path):
    write_h5mu(tmp_path / "m.h5mu", random_multiome(), "rna", "prot")
    with pytest.raises(DatasetError, match=r"has no modality of ATAC: it has prot, rna; wanted one called atac"):
        read_multiome(Source(cells=tmp_path / "m.h5mu"))


def untyped(multiome):
    rna, atac = as_anndata(multiome)
    del rna.obs["cell_type"], atac.obs["cell_type"]
    return {"rna": rna, "atac": atac}


@pytest.mark.parametrize("column", ["cell_type", "rna:cell_type", "celltype", "CellType"])
def test_cell_types_of_the_whole_file(tmp_path, column):
    multiome = random_multiome()
    write_modalities(tmp_path / "m.h5mu", untyped(multiome), {column: multiome.cells["cell_type"]})
    found = read_multiome(Source(cells=tmp_path / "m.h5mu"))
    check_same(found, multiome)
    said = "The cell types are those of the column" in " ".join(found.notes)
    assert said == (column in {"celltype", "CellType"})


def test_the_whole_files_types_win_over_the_modalitys(tmp_path):
    multiome = random_multiome()
    modalities = untyped(multiome)
    modalities["rna"].obs["cell_type"] = "old"
    write_modalities(tmp_path / "m.h5mu", modalities, {"cell_type": multiome.cells["cell_type"]})
    check_same(read_multiome(Source(cells=tmp_path / "m.h5mu")), multiome)


def test_a_column_of_types_can_be_named(tmp_path):
    multiome = random_multiome()
    write_modalities(tmp_path / "m.h5mu", untyped(multiome), {"fine": multiome.cells["cell_type"]})
    check_same(read_multiome(Source(cells=tmp_path / "m.h5mu", cell_type="fine")), multiome)
    with pytest.raises(DatasetError, match="obs has no column 'coarse'; it has fine") as caught:
        read_multiome(Source(cells=tmp_path / "m.h5mu", cell_type="coarse"))
    assert "--cell-type" in caught.value.hint


def test_cells_of_one_modality_alone_are_left_out_aloud(tmp_path):
    multiome = random_multiome()
    rna, atac = as_anndata(multiome)
    write_modalities(tmp_path / "m.h5mu", {"rna": rna[2:].copy(), "atac": atac[:-1].copy()})
    found = read_multiome(Source(cells=tmp_path / "m.h5mu"))
    check_same(found, multiome.take_cells(np.arange(2, 11)))
    assert "RNA and ATAC hold different cells: 9 names are in both" in found.notes[0]


def test_layers_of_modalities(tmp_path):
    rna, atac = as_anndata(random_multiome())
    for part in (rna, atac):
        part.layers["counts"] = part.X.copy()
        part.X = part.X.multiply(0.3).tocsr()
    write_modalities(tmp_path / "m.h5mu", {"rna": rna, "atac": atac})
    source = Source(cells=tmp_path / "m.h5mu", rna_layer="counts", atac_layer="counts")
    check_same(read_multiome(source), random_multiome())
    with pytest.raises(DatasetError, match=r"m.h5mu, rna \(X\) holds values that are not whole numbers") as caught:
        read_multiome(Source(cells=tmp_path / "m.h5mu"))
    assert caught.value.hint == "Layers that hold counts: counts; choose one with --rna-layer='counts'."


def test_what_muon_makes_of_a_10x_file(tmp_path):
    """Symbols as names, places in ``interval``, no coordinates of their own."""
    multiome = random_multiome()
    rna, atac = as_anndata(multiome)
    for part, table in ((rna, multiome.genes), (atac, multiome.peaks)):
        interval = [f"{c}:{s}-{e}" for c, s, e in zip(table["chrom"], table["start"], table["end"], strict=True)]
        part.var = pd.DataFrame(
            {"gene_ids": list(table.index), "feature_types": "x", "genome": "GRCh38", "interval": interval},
            index=part.var_names if part is atac else rna.var["gene_name"].to_numpy(),
        )
    write_modalities(tmp_path / "m.h5mu", {"rna": rna, "atac": atac})
    found = read_multiome(Source(cells=tmp_path / "m.h5mu"))
    assert list(found.genes.index) == list(multiome.genes["name"])
    assert list(found.genes["start"]) == list(multiome.genes["start"])
    assert found.peaks.equals(multiome.peaks.astype(found.peaks.dtypes))


def test_symbols_of_several_genes_give_way_to_ids(tmp_path):
    multiome = random_multiome()
    rna, atac = as_anndata(multiome)
    rna.var["gene_ids"] = list(rna.var_names)
    rna.var_names = ["TBCE", "TBCE", *rna.var.pop("gene_name")[2:]]
    write_modalities(tmp_path / "m.h5mu", {"rna": rna, "atac": atac})
    found = read_multiome(Source(cells=tmp_path / "m.h5mu"))
    assert found.digest == multiome.digest
    assert list(found.genes["name"]) == ["TBCE", "TBCE", *multiome.genes["name"][2:]]


# ---------------------------------------------------------------- 10x


def test_a_10x_file_without_labels_gets_one_cluster_and_says_so(tmp_path):
    multiome = random_multiome()
    path = write_10x_h5(tmp_path / "m.h5", multiome)
    found = read_multiome(Source(cells=path))
    assert found.cell_types == ["cluster 0"]
    notes = " ".join(found.notes)
    assert "10x gives genes the span of their transcription start sites and no strand" in notes
    assert "No cell types are given (obs has no columns)" in notes
    assert set(found.genes["strand"]) == {"."}
    np.testing.assert_array_equal(found.atac.toarray(), multiome.atac.toarray())


def test_genes_that_10x_does_not_place_are_left_out(tmp_path):
    multiome = random_multiome()
    write_10x_h5(tmp_path / "m.h5", multiome)
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        interval = file["matrix/features/interval"][:]
        interval[[0, 3]] = [b"NA", b""]
        file["matrix/features/interval"][:] = interval
    found = read_multiome(Source(cells=tmp_path / "m.h5"))
    assert list(found.genes.index) == [name for row, name in enumerate(multiome.genes.index) if row not in (0, 3)]
    assert any(note.startswith("2 of 15 genes have no place") for note in found.notes)


def test_files_of_a_10x_folder_may_be_prefixed_or_unpacked(tmp_path):
    folder = write_10x_folder(tmp_path / "m", random_multiome())
    for path in list(folder.iterdir()):
        content = gzip.decompress(path.read_bytes())
        path.unlink()
        (folder / f"GSM1_{path.name.removesuffix('.gz')}").write_bytes(content)
    found = read_multiome(Source(cells=folder))
    np.testing.assert_array_equal(found.rna.toarray(), random_multiome().rna.toarray())
    (folder / "GSM2_matrix.mtx").write_text("")
    with pytest.raises(DatasetError, match=r"has several matrix files: GSM1_matrix.mtx, GSM2_matrix.mtx"):
        read_multiome(Source(cells=folder))


def test_a_10x_file_of_rna_alone(tmp_path):
    path = write_10x_h5(tmp_path / "m.h5", random_multiome())
    with h5py.File(path, "r+") as file:
        types = file["matrix/features/feature_type"]
        types[:] = np.where(types[:] == b"Peaks", b"Antibody", types[:])
    with pytest.raises(DatasetError, match="no features of the type 'Peaks'; it has 30 Antibody, 15 Gene Expression"):
        read_multiome(Source(cells=path))


# ---------------------------------------------------------------- prepared files


def test_a_prepared_file_keeps_notes_names_and_attributes(tmp_path):
    multiome = replace(random_multiome(), notes=("One note.", "Another: β."))
    write_prepared(multiome, tmp_path / "p.h5")
    found = read_prepared(tmp_path / "p.h5")
    check_same(found, multiome)
    assert found.notes == multiome.notes
    assert found.peak_dna is None


def test_anndata_opens_every_element_of_a_prepared_file(tmp_path):
    multiome = random_multiome()
    write_prepared(multiome, tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5") as file:
        elements = {name: anndata.io.read_elem(file[name]) for name in file}
        assert file.attrs["magic"] == "bi2scope-prepared"
        assert file.attrs["digest"] == multiome.digest
    assert list(elements["cells"].index) == list(multiome.cells.index)
    np.testing.assert_array_equal(elements["atac"].toarray(), multiome.atac.toarray())


def test_a_prepared_file_is_whole_or_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("bi2scope.data.prepared._narrow", lambda counts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_prepared(random_multiome(), tmp_path / "p.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_prepared_file_is_not_overwritten_unless_asked(tmp_path):
    (tmp_path / "p.h5").write_text("precious")
    with pytest.raises(Exception, match="is there already"):
        write_prepared(random_multiome(), tmp_path / "p.h5")
    write_prepared(random_multiome(), tmp_path / "p.h5", overwrite=True)
    assert read_prepared(tmp_path / "p.h5").digest == random_multiome().digest


def test_a_prepared_file_of_a_later_version_is_refused(tmp_path):
    write_prepared(random_multiome(), tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5", "r+") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(DatasetError, match="is of the format version 2; this program reads 1"):
        read_prepared(tmp_path / "p.h5")


@pytest.mark.parametrize("change", ["count", "name", "attribute", "note", "place"])
def test_a_prepared_file_that_was_changed_is_refused(tmp_path, change):
    write_prepared(replace(random_multiome(), notes=("A note.",)), tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5", "r+") as file:
        if change == "count":
            file["rna/data"][0] = file["rna/data"][0] + 1
        elif change == "attribute":
            file["genes/means"][2] = 7.0
        elif change == "place":
            file["peaks/start"][2] = file["peaks/start"][2] + 1
        else:
            key = {"name": "genes/name", "note": "notes"}[change]
            file[key][0] = "another"
    with pytest.raises(DatasetError, match="is damaged: its contents do not have the checksum they had"):
        read_prepared(tmp_path / "p.h5")
