"""Reading pairs of .h5ad files: what comes out, and one test for each thing that can be wrong with them."""

import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multiomes import as_anndata, random_multiome, write_h5ad_pair, write_pair
from scipy import sparse

from bi2scope.data.errors import DatasetError, RegionError
from bi2scope.data.readers import read_h5ad_pair


@pytest.fixture
def pair():
    """RNA and ATAC that can be read, to be spoilt."""
    return as_anndata(random_multiome())


@pytest.fixture
def refused(tmp_path):
    """Check that a pair is refused with a message, and return what was raised."""

    def check(rna, atac, message, kind=DatasetError, **options):
        with pytest.raises(kind, match=message) as caught:
            read_h5ad_pair(*write_pair(tmp_path, rna, atac), **options)
        return caught.value

    return check


def same(left, right):
    assert left.digest == right.digest
    pd.testing.assert_frame_equal(
        left.cells, right.cells, check_dtype=False, check_index_type=False, check_column_type=False
    )
    pd.testing.assert_frame_equal(
        left.genes, right.genes, check_dtype=False, check_index_type=False, check_column_type=False
    )
    pd.testing.assert_frame_equal(
        left.peaks, right.peaks, check_dtype=False, check_index_type=False, check_column_type=False
    )


# ---------------------------------------------------------------- what comes out


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_what_was_written_is_read(tmp_path, seed):
    multiome = random_multiome(seed)
    found = read_h5ad_pair(*write_h5ad_pair(tmp_path, multiome))
    same(found, multiome)
    assert found.notes == ()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_the_order_of_atac_cells_genes_and_peaks_does_not_matter(tmp_path, seed):
    multiome, rng = random_multiome(seed), np.random.default_rng(seed)
    rna, atac = as_anndata(multiome)
    rna = rna[:, rng.permutation(rna.n_vars)].copy()
    atac = atac[rng.permutation(atac.n_obs), rng.permutation(atac.n_vars)].copy()
    same(read_h5ad_pair(*write_pair(tmp_path, rna, atac)), multiome)


def test_the_order_of_the_rna_cells_is_kept(tmp_path, pair):
    rna, atac = pair
    found = read_h5ad_pair(*write_pair(tmp_path, rna[::-1].copy(), atac))
    assert list(found.cells.index) == list(rna.obs_names[::-1])
    np.testing.assert_array_equal(found.atac.toarray(), atac[rna.obs_names[::-1]][:, found.peaks.index].X.toarray())


@pytest.mark.parametrize("form", [sparse.csc_matrix, sparse.csr_array, lambda counts: counts.toarray()])
@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float64])
def test_any_kind_of_matrix_becomes_sorted_csr_float32(tmp_path, pair, form, dtype):
    rna, atac = pair
    rna.X, atac.X = form(rna.X).astype(dtype), form(atac.X).astype(dtype)
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    same(found, random_multiome())
    for counts in (found.rna, found.atac):
        assert isinstance(counts, sparse.csr_matrix)
        assert counts.dtype == np.float32
        assert counts.has_sorted_indices
        assert counts.has_canonical_format


def test_stored_zeros_are_dropped(tmp_path, pair):
    rna, atac = pair
    explicit = sparse.csr_matrix(np.ones(rna.shape, dtype=np.float32))
    explicit.data[:] = rna.X.toarray().ravel()
    assert explicit.nnz > rna.X.nnz
    rna.X = explicit
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert (found.rna.data != 0).all()
    assert found.digest == random_multiome().digest


def test_unsorted_indices_are_sorted(tmp_path, pair):
    rna, atac = pair
    paths = write_pair(tmp_path, rna, atac)
    with h5py.File(paths[0], "r+") as file:
        first = slice(*file["X/indptr"][:2])
        for key in ("X/indices", "X/data"):
            file[key][first] = file[key][first][::-1]
    same(read_h5ad_pair(*paths), random_multiome())


@pytest.mark.parametrize("spelling", ["{}:{}-{}", "{}-{}-{}", "{}_{}_{}"])
def test_peaks_are_placed_by_their_names_in_three_spellings(tmp_path, pair, spelling):
    rna, atac = pair
    atac.var_names = [spelling.format(*row) for row in atac.var[["chrom", "chromStart", "chromEnd"]].to_numpy()]
    atac.var = atac.var[[]]
    same(read_h5ad_pair(*write_pair(tmp_path, rna, atac)), random_multiome())


def test_columns_named_start_and_end_are_read(tmp_path, pair):
    rna, atac = pair
    for adata in pair:
        adata.var = adata.var.rename(columns={"chromStart": "start", "chromEnd": "end"})
    same(read_h5ad_pair(*write_pair(tmp_path, rna, atac)), random_multiome())


@pytest.mark.parametrize("column", ["gene_name", "name", "gene_symbols", None])
def test_names_of_genes_come_from_their_column_or_the_index(tmp_path, pair, column):
    rna, atac = pair
    rna.var = rna.var.rename(columns={"gene_name": column}) if column else rna.var.drop(columns="gene_name")
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert list(found.genes["name"]) == list(random_multiome().genes["name"] if column else rna.var_names)


def test_a_gene_without_a_name_is_called_by_its_id(tmp_path, pair):
    rna, atac = pair
    rna.var["gene_name"] = rna.var["gene_name"].where(np.arange(rna.n_vars) != 3, None)
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert found.genes["name"].iloc[3] == found.genes.index[3]


def test_the_strand_may_be_missing(tmp_path, pair):
    rna, atac = pair
    rna.var = rna.var.drop(columns="strand")
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert set(found.genes["strand"]) == {"."}


def test_strands_written_as_numbers_are_read(tmp_path, pair):
    rna, atac = pair
    rna.var["strand"] = np.where(np.arange(rna.n_vars) % 2, 1, -1)
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert list(found.genes["strand"]) == ["+" if row % 2 else "-" for row in range(rna.n_vars)]


def test_cell_types_are_in_natural_order_and_only_those_there(tmp_path, pair):
    rna, atac = pair
    types = pd.Categorical(np.resize(["T10", "T2", "b"], rna.n_obs), categories=["T10", "gone", "b", "T2"])
    rna.obs["cell_type"] = types
    del atac.obs["cell_type"]
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert found.cell_types == ["b", "T2", "T10"]


def test_numbered_clusters_are_cell_types_too(tmp_path, pair):
    rna, atac = pair
    rna.obs["cell_type"] = np.arange(rna.n_obs) % 11
    del atac.obs["cell_type"]
    assert read_h5ad_pair(*write_pair(tmp_path, rna, atac)).cell_types == [str(number) for number in range(11)]


def test_cell_types_of_the_atac_file_are_used_aloud_when_the_rna_has_none(tmp_path, pair):
    rna, atac = pair
    del rna.obs["cell_type"]
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac[::-1].copy()))
    assert found.digest == random_multiome().digest
    assert found.notes == ("The cell types are those of the ATAC file; the RNA file has none.",)


def test_cell_types_that_differ_are_counted_aloud(tmp_path, pair):
    rna, atac = pair
    atac.obs["cell_type"] = pd.Categorical(["NK", "NK", *atac.obs["cell_type"].iloc[2:]])
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert found.notes == ("1 of 12 cells have another cell_type in the ATAC file; the RNA's is used.",)


def test_genes_without_a_place_are_dropped_and_counted_aloud(tmp_path, pair):
    rna, atac = pair
    rna.var["chrom"] = rna.var["chrom"].astype(object)
    rna.var.iloc[[0, 1], rna.var.columns.get_loc("chrom")] = ["", None]
    rna.var["chromStart"] = rna.var["chromStart"].astype(float)
    rna.var.iloc[4, rna.var.columns.get_loc("chromStart")] = np.nan
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert found.notes == ("3 of 15 genes have no place on a chromosome: left out.",)
    assert list(found.genes.index) == [name for row, name in enumerate(rna.var_names) if row not in (0, 1, 4)]
    np.testing.assert_array_equal(found.rna.toarray(), rna[:, found.genes.index].X.toarray())
    assert found.genes["start"].dtype == np.int64


def test_empty_cells_are_dropped_and_counted_aloud(tmp_path, pair):
    rna, atac = pair
    no_gene, no_peak = np.array([[0, 1]]), np.array([[1, 5, 7]])
    for adata, cells in ((rna, no_gene), (atac, no_peak)):
        kept = np.ones(adata.n_obs)
        kept[cells] = 0
        adata.X = sparse.csr_matrix(sparse.diags(kept) @ adata.X, dtype=np.float32)
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert found.notes == ("4 of 12 cells are empty (2 without a gene, 3 without a peak): left out.",)
    assert list(found.cells.index) == [name for row, name in enumerate(rna.obs_names) if row not in (0, 1, 5, 7)]
    np.testing.assert_array_equal(found.rna.toarray(), rna[found.cells.index].X.toarray())


def test_a_layer_can_be_chosen(tmp_path, pair):
    rna, atac = pair
    for adata in (rna, atac):
        adata.layers["counts"] = adata.X.copy()
        adata.X = adata.X.multiply(0.5).tocsr()
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac), rna_layer="counts", atac_layer="counts")
    same(found, random_multiome())


def test_attributes_are_computed_aloud_unless_all_three_are_there(tmp_path, pair):
    rna, atac = pair
    del rna.var["means"]
    found = read_h5ad_pair(*write_pair(tmp_path, rna, atac))
    assert len(found.notes) == 1
    assert found.notes[0].startswith("Gene attributes computed from the counts")
    np.testing.assert_allclose(found.genes["means"], np.asarray(found.rna.mean(axis=0))[0], rtol=1e-5)


def test_scanpy_is_not_loaded_when_the_file_brings_the_attributes(tmp_path, monkeypatch):
    paths = write_h5ad_pair(tmp_path, random_multiome())
    monkeypatch.setitem(sys.modules, "scanpy", None)
    same(read_h5ad_pair(*paths), random_multiome())


# ---------------------------------------------------------------- files that cannot be read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no file .*rna.h5ad"),
        (b"", "rna.h5ad is empty"),
        (b"gene,cell\n1,2\n" * 300, "rna.h5ad is not an HDF5 file, so not an .h5ad"),
    ],
)
def test_a_file_that_is_missing_empty_or_no_h5ad(tmp_path, content, message):
    rna, atac = write_h5ad_pair(tmp_path, random_multiome())
    rna.unlink()
    if content is not None:
        rna.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_h5ad_pair(rna, atac)
    assert caught.value.hint


def test_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(DatasetError, match=r"is a folder; wanted an .h5ad file"):
        read_h5ad_pair(tmp_path, tmp_path)


@pytest.mark.parametrize("kept", [0.03, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(tmp_path, kept):
    rna, atac = write_h5ad_pair(tmp_path, random_multiome())
    content = atac.read_bytes()
    atac.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DatasetError, match=r"atac.h5ad cannot be read: .*truncated.*cut short or damaged"):
        read_h5ad_pair(rna, atac)


@pytest.mark.parametrize("key", ["X/data", "X/indices", "obs/cell_type/codes", "var/chromStart"])
def test_a_chunk_with_damaged_bytes(tmp_path, pair, key):
    rna, atac = pair
    atac.write_h5ad(tmp_path / "atac.h5ad", compression="gzip")
    rna.write_h5ad(tmp_path / "rna.h5ad")
    with h5py.File(tmp_path / "atac.h5ad", "r") as file:
        chunk = file[key].id.get_chunk_info(0)
    content = bytearray((tmp_path / "atac.h5ad").read_bytes())
    content[chunk.byte_offset + 4 : chunk.byte_offset + chunk.size] = bytes(chunk.size - 4)
    (tmp_path / "atac.h5ad").write_bytes(content)
    with pytest.raises(DatasetError, match=f"atac.h5ad: {key.split('/')[0]} cannot be read .*filter"):
        read_h5ad_pair(tmp_path / "rna.h5ad", tmp_path / "atac.h5ad")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["mod"], r"is a MuData \(.h5mu\) file, not an .h5ad"),
        (["matrix"], "is a 10x .h5 file, not an .h5ad"),
        (["something"], "is an HDF5 file with something, not an .h5ad: it has no obs and var"),
    ],
)
def test_another_kind_of_hdf5_file(tmp_path, groups, message):
    rna, atac = write_h5ad_pair(tmp_path, random_multiome())
    with h5py.File(rna, "w") as file:
        for group in groups:
            file.create_group(group)
    with pytest.raises(DatasetError, match=message):
        read_h5ad_pair(rna, atac)


def test_an_h5ad_of_old_anndata(tmp_path):
    rna, atac = write_h5ad_pair(tmp_path, random_multiome())
    with h5py.File(rna, "w") as file:
        for key in ("obs", "var"):
            file[key] = np.array([(b"a", 1)], dtype=[("index", "S1"), ("n", "i4")])
    with pytest.raises(DatasetError, match=r"is an .h5ad of anndata before 0.7. Open it with anndata"):
        read_h5ad_pair(rna, atac)


def test_no_x_and_no_such_layer(pair, refused):
    rna, atac = pair
    rna.layers["counts"] = rna.X.copy()
    refused(rna, atac, r"atac.h5ad has no layer 'raw'; its layers: none. Choose one with atac_layer", atac_layer="raw")
    refused(rna, atac, "rna.h5ad has no layer 'raw'; its layers: counts", rna_layer="raw")
    rna.X = None
    refused(rna, atac, "rna.h5ad has no X; its layers: counts. Choose one with rna_layer")


def test_a_matrix_of_another_shape_than_its_tables(tmp_path, pair):
    paths = write_pair(tmp_path, *pair)
    with h5py.File(paths[0], "r+") as file:
        file["X"].attrs["shape"] = np.array([12, 99])
    with pytest.raises(DatasetError, match=r"rna.h5ad \(X\) is 12 x 99, but obs has 12 rows and var 15"):
        read_h5ad_pair(*paths)


def test_positions_outside_the_matrix(tmp_path, pair):
    paths = write_pair(tmp_path, *pair)
    with h5py.File(paths[1], "r+") as file:
        file["X/indices"][3] = 10**6
    with pytest.raises(DatasetError, match=r"atac.h5ad: X is not a matrix of numbers"):
        read_h5ad_pair(*paths)


def test_a_file_without_features(pair, refused):
    rna, atac = pair
    refused(rna[:, :0].copy(), atac, "rna.h5ad holds 12 cells and 0 features; wanted some of each")


# ---------------------------------------------------------------- cells that do not agree


def test_no_cell_in_both_files(pair, refused):
    rna, atac = pair
    atac.obs_names = [f"{name}#x" for name in atac.obs_names]
    error = refused(rna, atac, "No cell name is in both files: .*rna.h5ad has '[ACGT]{12}-0', .*atac.h5ad has '.*#x'")
    assert "suffixes" in error.hint


def test_partly_shared_cells(pair, refused):
    rna, atac = pair
    first, last = rna.obs_names[0], rna.obs_names[-1]
    message = (
        "The files hold different cells: 9 names are in both, "
        rf"1 only in .*rna.h5ad \(such as {first}\) and 2 only in .*atac.h5ad \(such as .*\)."
    )
    refused(rna[:-2].copy(), atac[1:].copy(), message)
    refused(rna, atac[:-1].copy(), rf"11 names are in both, 1 only in .*rna.h5ad \(such as {last}\)\. Keep the shared")


def test_duplicate_cell_names(pair, refused):
    rna, atac = pair
    names = list(atac.obs_names)
    atac.obs_names = [names[1], *names[1:]]
    refused(rna, atac, rf"atac.h5ad: 1 cell name\(s\) stand more than once, such as {names[1]}")


def test_duplicate_gene_names(pair, refused):
    rna, atac = pair
    rna.var_names = ["A", "A", "B", "B", "B", *rna.var_names[5:]]
    error = refused(rna, atac, r"rna.h5ad: 2 feature name\(s\) stand more than once, such as A, B")
    assert "var_names_make_unique" in error.hint


def test_two_peaks_in_one_place(pair, refused):
    rna, atac = pair
    atac.var.iloc[1, :3] = atac.var.iloc[0, :3]
    refused(rna, atac, r"atac.h5ad: 1 peak name\(s\) stand more than once, such as chr1:")


def test_cell_type_is_missing(pair, refused):
    rna, atac = pair
    for adata in pair:
        adata.obs = adata.obs.rename(columns={"cell_type": "leiden"}).assign(batch="a")
    refused(rna, atac, "rna.h5ad: obs has no column 'cell_type'; it has leiden, batch. Name the column")
    rna.obs, atac.obs = rna.obs[[]], atac.obs[[]]
    refused(rna, atac, "obs has no column 'cell_type'; it has no columns")


def test_cells_without_a_type(pair, refused):
    rna, atac = pair
    rna.obs["cell_type"] = rna.obs["cell_type"].astype(object).where(np.arange(12) > 1, None)
    name = rna.obs_names[0]
    refused(rna, atac, f"rna.h5ad: 2 of 12 cells have no cell_type, such as {name}. Give them one")


def test_only_empty_cells(pair, refused):
    rna, atac = pair
    atac.X = sparse.csr_matrix(atac.shape, dtype=np.float32)
    refused(rna, atac, "None of the 12 cells has both a count of a placed gene and one of a peak")


# ---------------------------------------------------------------- counts that are none


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (-1, "negative values"),
        (np.nan, r"values that are not finite \(NaN or infinite\)"),
        (np.inf, r"values that are not finite \(NaN or infinite\)"),
        (0.25, "values that are not whole numbers"),
        (2.0**25, "values above 16,777,216"),
    ],
)
@pytest.mark.parametrize("which", ["rna", "atac"])
def test_values_that_are_no_counts(pair, refused, which, value, fault):
    adata = pair[which == "atac"]
    matrix = adata.X.tolil()
    matrix[2, 3] = value
    adata.X = matrix.tocsr()
    cell, feature = adata.obs_names[2], adata.var_names[3]
    error = refused(
        *pair,
        rf"{which}.h5ad \(X\) holds {fault} \(1 of [0-9]+\), such as .* for {feature} in cell {cell}; wanted counts",
    )
    assert error.hint == "No layer of the file holds counts; the raw counts are needed."


def log_normalised(counts):
    return sparse.csr_matrix(counts.multiply(1e4 / counts.sum(axis=1))).log1p()


def test_log_normalised_values_are_recognised_and_layers_with_counts_named(pair, refused):
    rna, atac = pair
    rna.layers["counts"], rna.layers["scaled"] = rna.X.copy(), rna.X.multiply(0.3).tocsr()
    rna.X = log_normalised(rna.X)
    error = refused(rna, atac, "values that are not whole numbers .*; it looks log-normalised")
    assert error.hint == "Layers that hold counts: counts; choose one with rna_layer='counts'."


def test_values_scaled_to_a_total_are_recognised(pair, refused):
    rna, atac = pair
    atac.X = sparse.csr_matrix(atac.X.multiply(1e3 / atac.X.sum(axis=1)))
    refused(rna, atac, r"atac.h5ad \(X\) .*; it looks normalised\.")


def test_smoothed_values_are_not_taken_for_normalised_ones(pair, refused):
    rna, atac = pair
    rna.X = rna.X.multiply(np.random.default_rng(0).random(rna.shape)).tocsr()
    assert "it looks" not in refused(rna, atac, "not whole numbers").message


def test_counts_kept_in_raw_or_x_are_pointed_at(pair, refused):
    rna, atac = pair
    rna.raw = rna.copy()
    rna.X = log_normalised(rna.X)
    error = refused(rna, atac, "it looks log-normalised")
    assert error.hint == "raw.X holds counts: write adata.raw.to_adata() to a file and read that."
    atac.layers["tfidf"] = log_normalised(atac.X)
    rna.X = rna.raw.X
    error = refused(rna, atac, r"atac.h5ad \(layer 'tfidf'\) holds", atac_layer="tfidf")
    assert error.hint == "X holds counts: leave atac_layer out."


# ---------------------------------------------------------------- places that are none


def test_genes_without_coordinates(pair, refused):
    rna, atac = pair
    rna.var = rna.var.drop(columns=["chromStart"])
    error = refused(rna, atac, "the genes have no coordinates: the columns of var are gene_name, chrom,", RegionError)
    assert "wanted chrom, chromStart, chromEnd" in error.message
    assert "gene annotation" in error.hint


def test_no_gene_has_a_place(pair, refused):
    rna, atac = pair
    rna.var["chrom"] = ""
    refused(rna, atac, "rna.h5ad: none of the 15 genes has a place on a chromosome", RegionError)


@pytest.mark.parametrize("text", ["twelve", "1e400", "12.5", "0x1f"])
def test_coordinates_that_are_not_whole_numbers(pair, refused, text):
    rna, atac = pair
    rna.var["chromEnd"] = [text, *rna.var["chromEnd"].astype(str)[1:]]
    gene = rna.var_names[0]
    refused(rna, atac, f"rna.h5ad: gene {gene} has '{text}' in chromEnd; wanted a whole number .1 of 15", RegionError)


@pytest.mark.parametrize(("start", "end", "fault"), [(-5, 10, "starts below 0"), (10, 10, "does not start below its")])
@pytest.mark.parametrize("which", ["rna", "atac"])
def test_intervals_that_are_none(pair, refused, which, start, end, fault):
    adata = pair[which == "atac"]
    adata.var.loc[adata.var_names[2], ["chromStart", "chromEnd"]] = [start, end]
    feature = {"rna": "gene", "atac": "peak"}[which]
    message = f"{which}.h5ad: {feature} {adata.var_names[2]} .*{start}-{end}.* {fault}"
    refused(*pair, message, RegionError)


def test_peaks_without_columns_and_with_other_names(pair, refused):
    rna, atac = pair
    atac.var = atac.var[[]]
    atac.var_names = [*atac.var_names[:-2], "peak_1", "chr1:1_2"]
    message = (
        "atac.h5ad: 2 of 30 peaks have no place: 'peak_1' is none of chr:start-end, chr-start-end or chr_start_end"
    )
    refused(rna, atac, message, RegionError)


def test_peaks_with_an_empty_place(pair, refused):
    rna, atac = pair
    atac.var["chrom"] = atac.var["chrom"].astype(object).where(np.arange(atac.n_vars) != 4, None)
    refused(rna, atac, f"1 of 30 peaks have no place, such as {atac.var_names[4]}", RegionError)


def test_a_strand_that_is_none(pair, refused):
    rna, atac = pair
    rna.var["strand"] = ["forward", *rna.var["strand"][1:]]
    refused(rna, atac, f"gene {rna.var_names[0]} has 'forward' in strand; wanted", RegionError)


@pytest.mark.parametrize("which", [0, 1])
def test_chr_on_one_side_only(pair, refused, which):
    pair[which].var["chrom"] = [chrom.removeprefix("chr") for chrom in pair[which].var["chrom"]]
    names = ("'1'", "'chr1'")[:: 1 if which == 0 else -1]
    message = f"Genes and peaks name the chromosomes differently: {names[0]} in .*rna.h5ad, {names[1]} in .*atac.h5ad"
    assert "with chr or without" in refused(*pair, message, RegionError).hint


def test_no_chromosome_in_common(pair, refused):
    rna, atac = pair
    atac.var["chrom"] = "chr7"
    message = "no chromosome in common: chr1, chr2, chr10, chrX in .*rna.h5ad, chr7 in .*atac.h5ad. Are both of one"
    refused(rna, atac, message, RegionError)


def test_swapped_files(tmp_path, pair):
    rna_path, atac_path = write_pair(tmp_path, *pair)
    with pytest.raises(DatasetError, match=r"The genes of .*atac.h5ad have names of peaks, such as chr1:.* swapped\?"):
        read_h5ad_pair(atac_path, rna_path)
