"""Files of the same columns as the paper's published ones; the published ones themselves are not at hand."""

import numpy as np
import pandas as pd
import pytest
from multiomes import as_anndata, random_multiome, write_pair

from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.presets import PRESETS, preset_named
from bi2scope.data.reading import read_multiome
from bi2scope.data.source import Source


def sizes(preset, cells=12, genes=15, peaks=30):
    title = PRESETS[preset].title
    wanted = (PRESETS[preset].cells, PRESETS[preset].genes, PRESETS[preset].peaks)
    return [
        f"{title} has {n:,} {what}; these files have {found:,}."
        for n, found, what in zip(wanted, (cells, genes, peaks), ("cells", "genes", "peaks"), strict=True)
    ]


def scglue(multiome):
    """The columns of scGLUE's downloads: BED's, 10x's and scanpy's."""
    rna, atac = as_anndata(multiome)
    table = rna.var.drop(columns="gene_name")
    rna.var = table.assign(
        gene_ids=[f"ENSMUSG{row}" for row in range(rna.n_vars)],
        feature_types=pd.Categorical(["Gene Expression"] * rna.n_vars),
        genome=pd.Categorical(["GRCh38"] * rna.n_vars),
        chromStart=table["chromStart"].astype(float),
        chromEnd=table["chromEnd"].astype(float),
        chrom=pd.Categorical(table["chrom"]),
        strand=pd.Categorical(table["strand"]),
        name=list(multiome.genes["name"]),
        score=".",
        thickStart=".",
        itemRgb=".",
        highly_variable_rank=np.nan,
        variances=1.5,
    )
    rna.obs["domain"], atac.obs["domain"] = "scRNA-seq", "scATAC-seq"
    return rna, atac


@pytest.mark.parametrize("preset", ["pbmc10k", "share", "snare"])
def test_scglues_downloads(tmp_path, preset):
    multiome = random_multiome()
    rna, atac = write_pair(tmp_path, *scglue(multiome))
    found = read_multiome(Source(rna=rna, atac=atac, preset=preset))
    assert found.digest == multiome.digest
    np.testing.assert_allclose(found.genes["means"], multiome.genes["means"])
    assert list(found.notes) == sizes(preset)


def issaac(multiome):
    """Numbers as names, the names in columns, the strand under ``_``, dense counts."""
    rna, atac = as_anndata(multiome)
    names = pd.RangeIndex(multiome.n_cells).astype(str)
    for part in (rna, atac):
        part.obs = pd.DataFrame(
            {"cell": list(multiome.cells.index), "cell_type": part.obs["cell_type"].to_numpy()}, index=names
        )
    genes = rna.var.rename(columns={"strand": "_"}).drop(columns="gene_name")
    genes.insert(0, "gene", list(rna.var_names))
    rna.var = genes.set_axis([str(row) for row in range(rna.n_vars)])
    peaks = [name.replace(":", "-") for name in atac.var_names]
    atac.var = pd.DataFrame(
        {"peak": peaks, "chrom": atac.var["chrom"].to_numpy()}, index=[str(row) for row in range(atac.n_vars)]
    )
    rna.X, atac.X = rna.X.toarray(), atac.X.toarray()
    return rna, atac


def test_issaac(tmp_path):
    multiome = random_multiome()
    rna, atac = write_pair(tmp_path, *issaac(multiome))
    fasta = tmp_path / "peaks.fa"
    fasta.write_text("".join(f">{name}\nACGTN\n" for name in multiome.peaks.index[:-2]))
    found = read_multiome(Source(rna=rna, atac=atac, preset="issaac", peak_fasta=fasta))
    assert list(found.notes[:3]) == sizes("issaac")
    np.testing.assert_allclose(found.peak_dna[0, :6], [0.25, 1, 0.75, 0.5, 0, 0])
    assert found.notes[-1].endswith("2 of 30 peaks are not in it and have N.")
    plain = read_multiome(Source(rna=rna, atac=atac, preset="issaac"))
    assert plain.digest == multiome.digest


def test_issaac_without_its_preset_says_what_is_missing(tmp_path):
    rna, atac = write_pair(tmp_path, *issaac(random_multiome()))
    with pytest.raises(Exception, match="peaks have no place: '0' is none of chr:start-end"):
        read_multiome(Source(rna=rna, atac=atac))


def test_a_data_set_of_the_published_size_needs_no_note(tmp_path, monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(PRESETS, "snare", replace(PRESETS["snare"], cells=12, genes=15, peaks=30))
    rna, atac = write_pair(tmp_path, *scglue(random_multiome()))
    assert read_multiome(Source(rna=rna, atac=atac, preset="snare")).notes == ()


def differently_named(multiome, types=None):
    rna, atac = scglue(multiome)
    atac.obs_names = [f"{name}#ATAC" for name in atac.obs_names]
    if types is not None:
        atac.obs["cell_type"] = types
    return rna, atac


def test_cells_named_differently_are_paired_by_row_aloud(tmp_path):
    multiome = random_multiome()
    rna, atac = write_pair(tmp_path, *differently_named(multiome))
    found = read_multiome(Source(rna=rna, atac=atac, preset="snare"))
    assert found.digest == multiome.digest
    assert any("they are paired row by row" in note for note in found.notes)
    with pytest.raises(DatasetError, match="No cell name is in both files"):
        read_multiome(Source(rna=rna, atac=atac))


def test_rows_of_other_types_are_not_paired(tmp_path):
    rna, atac = write_pair(tmp_path, *differently_named(random_multiome(), types="B"))
    with pytest.raises(DatasetError, match="No cell name is in both files"):
        read_multiome(Source(rna=rna, atac=atac, preset="snare"))


def test_presets_have_the_published_sizes():
    found = {name: (each.cells, each.genes, each.peaks) for name, each in PRESETS.items()}
    assert found == {
        "pbmc10k": (9_631, 29_095, 107_194),
        "share": (32_231, 21_478, 340_341),
        "snare": (9_190, 28_930, 241_757),
        "issaac": (10_361, 20_771, 169_180),
    }


def test_no_such_preset(tmp_path):
    with pytest.raises(ConfigurationError, match="There is no preset 'pbmc'; there are pbmc10k, share, snare, issaac"):
        preset_named("pbmc")
