"""The page on inputs: every line on it runs as it stands, on files of those names."""

from __future__ import annotations

import gzip
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from formats import write_10x_folder, write_10x_h5, write_bed, write_h5mu, write_joint_h5ad, write_labels
from multiomes import as_anndata, random_multiome
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.prepared import read_prepared, write_prepared
from bi2scope.data.reading import FORMATS
from bi2scope.options import SOURCE_OPTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text()
LINES = re.findall(r"^    (bi2scope .*)$", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def multiome():
    return random_multiome(2, n_cells=60, n_genes=24, n_peaks=40)  # two of a type in every part of a split


@pytest.fixture(scope="module")
def files(tmp_path_factory, multiome):
    """A folder with a file of every name on the page."""
    folder = tmp_path_factory.mktemp("inputs")
    rna, atac = as_anndata(multiome)
    rna.write_h5ad(folder / "rna.h5ad")
    atac.write_h5ad(folder / "atac.h5ad")
    layered, clustered, placeless = rna.copy(), rna.copy(), rna.copy()
    layered.layers["counts"] = layered.X.copy()
    layered.X = layered.X.multiply(0.1).tocsr()
    layered.write_h5ad(folder / "layers_rna.h5ad")
    clustered.obs = clustered.obs.rename(columns={"cell_type": "leiden"})
    clustered.write_h5ad(folder / "clustered_rna.h5ad")
    for part, name in ((rna.copy(), "rna"), (atac.copy(), "atac")):
        part.obs = part.obs[[]]
        part.write_h5ad(folder / f"untyped_{name}.h5ad")
    placeless.var = placeless.var[["gene_name", "means", "variances_norm", "highly_variable"]]
    placeless.write_h5ad(folder / "placeless_rna.h5ad")
    write_h5mu(folder / "cells.h5mu", multiome)
    write_10x_h5(folder / "filtered_feature_bc_matrix.h5", multiome)
    write_10x_folder(folder / "filtered_feature_bc_matrix", multiome)
    write_joint_h5ad(folder / "both.h5ad", multiome)
    write_labels(folder, multiome)
    write_bed(folder, multiome)
    genes = multiome.genes
    for name, pattern in (("genes.gtf.gz", 'gene_id "{}"; gene_name "x";'), ("genes.gff3", "ID=gene:{};Name=x")):
        rows = (
            f"{g.chrom}\ttest\tgene\t{g.start + 1}\t{g.end}\t.\t{g.strand}\t.\t{pattern.format(g.Index)}"
            for g in genes.itertuples()
        )
        text = ("\n".join(rows) + "\n").encode()
        (folder / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    (folder / "peaks.fa").write_text("".join(f">{name}\nACGT\n" for name in multiome.peaks.index))
    ends = multiome.peaks.groupby("chrom")["end"].max()
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{'ACGT' * (end // 4 + 1)}\n" for chrom, end in ends.items()))
    return folder


def run(line):
    verb, *arguments = shlex.split(line)[1:]
    done = CliRunner().invoke(cli.app, [verb, *arguments, "--overwrite"])
    assert done.exit_code == 0, (line, done.output, done.exception)
    return done


@pytest.mark.slow
def test_the_lines_that_train_run_one_after_another(files, multiome, monkeypatch):
    monkeypatch.chdir(files)
    write_prepared(multiome, Path("prepared.h5"), overwrite=True)
    lines = [line for line in LINES if " prepare " not in line]
    assert len(lines) >= 3
    for line in lines:
        run(line)


@pytest.mark.parametrize("line", [line for line in LINES if " prepare " in line])
def test_every_line_that_prepares_runs(files, multiome, monkeypatch, line):
    monkeypatch.chdir(files)
    done = run(line)
    found = read_prepared("prepared.h5")
    np.testing.assert_array_equal(found.rna.toarray(), multiome.rna.toarray())
    np.testing.assert_array_equal(found.atac.toarray(), multiome.atac.toarray())
    if "untyped_rna" in line:
        assert all(name.startswith("cluster ") for name in found.cell_types)
        assert "note: No cell types are given" in done.output
    elif "fasta" not in line and "genome.fa" not in line:
        assert found.digest == multiome.digest
    else:
        np.testing.assert_allclose(found.peak_dna.max(axis=1), 1)
    for what in ("cells", "genes", "peaks", "cell types", "genes per cell", "peaks per cell", "assembly", "digest"):
        assert re.search(rf"^{what} +\S", done.output, flags=re.MULTILINE), what
    assert found.digest in done.output


def test_every_option_and_format_is_on_the_page():
    for option in SOURCE_OPTIONS:
        assert f"--{option.replace('_', '-')}" in PAGE, option
    assert len(FORMATS) == 6
    assert sum("prepare --" in line for line in LINES) >= len(FORMATS) - 1
    for name in (".h5ad", "MuData", "filtered_feature_bc_matrix.h5", "matrix.mtx.gz", "prepared file"):
        assert name in PAGE


def test_the_table_says_what_was_found(files, monkeypatch):
    monkeypatch.chdir(files)
    done = CliRunner().invoke(cli.app, ["prepare", "--cells", "cells.h5mu", "--out", "table.h5"])
    assert re.search(r"^format +MuData \(.h5mu\)$", done.output, flags=re.MULTILINE)
    assert re.search(r"^cells +60$", done.output, flags=re.MULTILINE)
    assert re.search(r"^genes +24; placed on the genome: 100.0%$", done.output, flags=re.MULTILINE)
    assert re.search(r"^cell types +3 \(B 20, NK 20, T cell 20\)$", done.output, flags=re.MULTILINE)
    assert re.search(r"^peaks per cell +median \d+ \(5–95 %: \d+–\d+\)$", done.output, flags=re.MULTILINE)
    assert re.search(
        r"^assembly +cannot tell \(hg38 and hg19 and mm10 and mm39 fit\)$", done.output, flags=re.MULTILINE
    )
