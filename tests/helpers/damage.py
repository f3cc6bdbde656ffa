"""Files that are damaged, or merely odd, on purpose: each case says what must come of it.

A case spoils a good file (or the data set before it is written) and gives the data set that must be read from it, or
``None`` when it must be refused. ``may_be_refused`` allows both a refusal and the right answer, never a wrong one.
"""

from __future__ import annotations

import gzip
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from formats import features_of, write_10x_h5, write_as
from multiomes import random_multiome

from bi2scope.data.multiome import Multiome
from bi2scope.data.regions import genome_order
from bi2scope.data.source import Source

Spoil = Callable[[Source, np.random.Generator], Source | None]
Change = Callable[[Multiome], Multiome]


@dataclass(frozen=True)
class Case:
    """One damaged file.

    Attributes
    ----------
    name
        What is wrong, for the test's id.
    kind
        Format (:data:`formats.FORMATS`).
    spoil
        Damages the files that a source names; may give another source.
    change
        Changes the data set before it is written; the changed one is then the truth.
    expected
        The data set to be read, made from the truth; ``None`` if the file must be refused.
    may_be_refused
        Whether a refusal is as good as the right answer.
    """

    name: str
    kind: str
    spoil: Spoil | None = None
    change: Change | None = None
    expected: Change | None = None
    may_be_refused: bool = False


def same(multiome: Multiome) -> Multiome:
    return multiome


def base() -> Multiome:
    """A small data set with counts above one and a gene and a peak in every cell."""
    return random_multiome(7, n_cells=18, n_genes=20, n_peaks=36)


# ---------------------------------------------------------------- whole files


HDF5_KINDS = ("pair", "h5mu", "10x h5", "h5ad", "prepared")


def hdf5_path(source: Source, rng: np.random.Generator) -> Path:
    paths = [path for path in (source.cells, source.rna, source.atac) if path is not None]
    return paths[int(rng.integers(len(paths)))]


def truncated(share: float) -> Spoil:
    def spoil(source: Source, rng: np.random.Generator) -> None:
        path = hdf5_path(source, rng)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return spoil


def replaced(content: bytes) -> Spoil:
    return lambda source, rng: hdf5_path(source, rng).write_bytes(content) and None


def packed(source: Source, rng: np.random.Generator) -> None:
    path = hdf5_path(source, rng)
    path.write_bytes(gzip.compress(path.read_bytes(), 1))


def a_folder(source: Source, rng: np.random.Generator) -> None:
    path = hdf5_path(source, rng)
    path.unlink()
    path.mkdir()


def gone(source: Source, rng: np.random.Generator) -> None:
    hdf5_path(source, rng).unlink()


def whole_files() -> Iterator[Case]:
    for kind in HDF5_KINDS:
        for share in (0.0, 0.05, 0.4, 0.8, 0.99):
            yield Case(f"cut at {share:.0%}", kind, truncated(share))
        yield Case("text", kind, replaced(b"barcode,gene\nA,1\n" * 50))
        yield Case("a zip", kind, replaced(b"PK\x03\x04" + bytes(600)))
        yield Case("packed with gzip", kind, packed)
        yield Case("a folder", kind, a_folder)
        yield Case("gone", kind, gone)


# ---------------------------------------------------------------- elements of HDF5 files


COUNTS = {
    "pair": ("rna", "X"),
    "h5mu": ("cells", "mod/atac/X"),
    "10x h5": ("cells", "matrix"),
    "h5ad": ("cells", "X"),
    "prepared": ("cells", "atac"),
}
"""Which file of a format holds counts, and where."""


def in_counts(kind: str, change: Callable[[h5py.Group, np.random.Generator], None]) -> Spoil:
    which, key = COUNTS[kind]

    def spoil(source: Source, rng: np.random.Generator) -> None:
        with h5py.File(getattr(source, which), "r+") as file:
            change(file[key], rng)

    return spoil


def put(group: h5py.Group, name: str, values: np.ndarray) -> None:
    del group[name]
    group[name] = values


def one_value(value: float) -> Callable[[h5py.Group, np.random.Generator], None]:
    def change(group: h5py.Group, rng: np.random.Generator) -> None:
        data = group["data"][:].astype(np.float64)
        data[rng.integers(len(data))] = value
        put(group, "data", data)

    return change


def cast(name: str, to: object) -> Callable[[h5py.Group, np.random.Generator], None]:
    return lambda group, rng: put(group, name, group[name][:].astype(to))


def one_place(name: str, value: int) -> Callable[[h5py.Group, np.random.Generator], None]:
    def change(group: h5py.Group, rng: np.random.Generator) -> None:
        places = group[name][:].astype(np.int64)
        places[rng.integers(1, len(places) - 1)] = value
        put(group, name, places)

    return change


def shortened(name: str) -> Callable[[h5py.Group, np.random.Generator], None]:
    return lambda group, rng: put(group, name, group[name][:-1])


def unsorted(group: h5py.Group, rng: np.random.Generator) -> None:
    offsets, data, indices = (group[name][:] for name in ("indptr", "data", "indices"))
    for start, end in itertools.pairwise(offsets):
        order = start + rng.permutation(end - start)
        data[start:end], indices[start:end] = data[order], indices[order]
    put(group, "data", data)
    put(group, "indices", indices)


def split_entries(group: h5py.Group, rng: np.random.Generator) -> None:
    """One entry as two of the same place that add up to it."""
    offsets, data, indices = (group[name][:] for name in ("indptr", "data", "indices"))
    at = int(np.flatnonzero(data > 1)[0])
    put(group, "data", np.insert(np.where(np.arange(len(data)) == at, data - 1, data), at, 1))
    put(group, "indices", np.insert(indices, at, indices[at]))
    put(group, "indptr", offsets + (np.arange(len(offsets)) > np.searchsorted(offsets, at, side="right") - 1))


def texts(group: h5py.Group, rng: np.random.Generator) -> None:
    put(group, "data", np.array([b"many"] * group["data"].shape[0]))


def wrong_shape(group: h5py.Group, rng: np.random.Generator) -> None:
    if "shape" in group:
        put(group, "shape", group["shape"][:] + 1)
    else:
        group.attrs["shape"] = np.asarray(group.attrs["shape"]) + 1


def counts_in_hdf5() -> Iterator[Case]:
    refused = {
        "NaN": one_value(np.nan),
        "infinity": one_value(np.inf),
        "a negative count": one_value(-2),
        "a fraction": one_value(0.5),
        "a count that float32 does not hold": one_value(2.0**24 + 2),
        "counts as text": texts,
        "complex counts": cast("data", np.complex64),
        "positions as floats": cast("indices", np.float64),
        "a negative position": one_place("indices", -1),
        "a position outside": one_place("indices", 10**6),
        "a position that wraps around": one_place("indices", 2**32),
        "offsets that fall": one_place("indptr", 10**6),
        "a negative offset": one_place("indptr", -1),
        "offsets cut": shortened("indptr"),
        "positions cut": shortened("indices"),
        "counts cut": shortened("data"),
        "another shape": wrong_shape,
    }
    read = {"unsorted positions": unsorted, "an entry in two parts": split_entries, "64-bit counts": cast("data", "i8")}
    for kind in HDF5_KINDS:
        for name, change in refused.items():
            unused = kind == "prepared" and name == "another shape"  # its shape is that of the tables
            yield Case(name, kind, in_counts(kind, change), expected=same if unused else None)
        for name, change in read.items():
            yield Case(name, kind, in_counts(kind, change), expected=same)


def without(key_number: int) -> Spoil:
    """The file without one of its elements."""

    def spoil(source: Source, rng: np.random.Generator) -> None:
        with h5py.File(hdf5_path(source, rng), "r+") as file:
            keys: list[str] = []
            file.visit(keys.append)
            del file[keys[key_number * 7 % len(keys)]]

    return spoil


def chunk_damaged(source: Source, rng: np.random.Generator) -> None:
    """Some bytes of a compressed chunk of counts are others."""
    assert source.cells is not None
    prepared = source.genes is None
    key = str(rng.choice(["rna/data", "atac/indices", "atac/data", "rna/indptr"] if prepared else ["matrix/data"]))
    with h5py.File(source.cells, "r") as file:
        chunk = file[key].id.get_chunk_info(0)
    content = bytearray(source.cells.read_bytes())
    # behind the header of the chunk, where its own lengths stand
    at = chunk.byte_offset + 12 + int(rng.integers(max(1, chunk.size - 16)))
    content[at] ^= 1 + int(rng.integers(255))
    source.cells.write_bytes(bytes(content))


def elements_of_hdf5() -> Iterator[Case]:
    for kind in HDF5_KINDS:
        for number in range(9):
            yield Case(f"without element {number}", kind, without(number), expected=same, may_be_refused=True)
    for number in range(12):
        yield Case(f"a flipped byte {number}", "prepared", chunk_damaged, expected=same, may_be_refused=True)


# ---------------------------------------------------------------- text files


def part(source: Source, name: str) -> Path:
    if name in {"labels", "genes"}:
        return Path(getattr(source, name))
    assert source.cells is not None
    return next(path for path in source.cells.iterdir() if path.name.startswith(name))


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """A text file with other contents, packed again if it was."""

    def spoil(source: Source, rng: np.random.Generator) -> None:
        path = part(source, name)
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            path.write_bytes(gzip.compress(change(gzip.decompress(raw)), 1))
        else:
            path.write_bytes(change(raw))

    return spoil


def raw(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(source: Source, rng: np.random.Generator) -> None:
        path = part(source, name)
        path.write_bytes(change(path.read_bytes()))

    return spoil


def line(number: int, change: Callable[[bytes], bytes | None]) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        lines = content.split(b"\n")
        new = change(lines[number])
        lines[number : number + 1] = [] if new is None else [new]
        return b"\n".join(lines)

    return apply


def field(number: int, column: int, value: bytes, separator: bytes = b"\t") -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        fields = text.split(separator)
        fields[column] = value
        return separator.join(fields)

    return line(number, change)


def toggled_gzip(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else gzip.compress(content)


def shuffled(content: bytes) -> bytes:
    lines = content.rstrip(b"\n").split(b"\n")
    head = next(number for number, text in enumerate(lines) if not text.startswith(b"%")) + 1
    body = [lines[head:][at] for at in np.random.default_rng(0).permutation(len(lines) - head)]
    return b"\n".join([*lines[:head], *body, b""])


TEXT_FILES = ("matrix", "features", "barcodes", "labels", "genes")


def text_files() -> Iterator[Case]:
    kind = "10x folder"
    for name in TEXT_FILES:
        yield Case(f"{name}: empty", kind, raw(name, lambda content: b""))
        yield Case(f"{name}: gz or not, whatever its name", kind, raw(name, toggled_gzip), expected=same)
        yield Case(
            f"{name}: gz cut",
            kind,
            raw(name, lambda c: gzip.compress(c if c[:2] != b"\x1f\x8b" else toggled_gzip(c))[:-9]),
        )
        yield Case(
            f"{name}: gz by name and magic alone",
            kind,
            raw(name, lambda c: b"\x1f\x8b" + c[2:] if c[:2] != b"\x1f\x8b" else b"\x1f\x8b" + toggled_gzip(c)),
        )
        yield Case(f"{name}: bytes", kind, rewritten(name, lambda c: bytes(range(256)) * 4))
        yield Case(f"{name}: UTF-16", kind, rewritten(name, lambda c: c.decode().encode("utf-16")))
        yield Case(f"{name}: Latin-1", kind, rewritten(name, lambda c: c.replace(b"\n", b"\n\xe9\xe8", 3)))
        yield Case(f"{name}: gone", kind, lambda source, rng, name=name: part(source, name).unlink())
        yield (
            Case(
                f"{name}: a line too few",
                kind,
                rewritten(name, line(2, lambda text: None)),
                expected=same if name == "matrix" else None,
                may_be_refused=True,
            )
            if name in {"matrix", "features", "barcodes"}
            else Case(f"{name}: blank lines at the end", kind, rewritten(name, lambda c: c + b"\n\n"), expected=same)
        )
        if name != "matrix":
            yield Case(
                f"{name}: BOM and CRLF",
                kind,
                rewritten(name, lambda c: b"\xef\xbb\xbf" + c.replace(b"\n", b"\r\n")),
                expected=same,
            )
            yield Case(
                f"{name}: old Mac line ends", kind, rewritten(name, lambda c: c.replace(b"\n", b"\r")), expected=same
            )
    yield Case("matrix: CRLF", kind, rewritten("matrix", lambda c: c.replace(b"\n", b"\r\n")), expected=same)


def matrix_lines() -> Iterator[Case]:
    entry = 5
    changes = {
        "no banner": line(0, lambda text: b"%%Matrix"),
        "an array": line(0, lambda text: text.replace(b"coordinate", b"array")),
        "a pattern": line(0, lambda text: text.replace(b"integer", b"pattern")),
        "symmetric": line(0, lambda text: text.replace(b"general", b"symmetric")),
        "sizes of another matrix": lambda c: c.replace(b"\n56 18 ", b"\n57 18 "),
        "turned": lambda c: c.replace(b"\n56 18 ", b"\n18 56 "),
        "more entries promised": lambda c: c.replace(b"\n56 18 ", b"\n56 18 9"),
        "sizes as text": lambda c: c.replace(b"\n56 18 ", b"\nfifty 18 "),
        "feature 0": field(entry, 0, b"0", b" "),
        "feature outside": field(entry, 0, b"57", b" "),
        "barcode outside": field(entry, 1, b"19", b" "),
        "barcode beyond 64 bits": field(entry, 1, b"9" * 25, b" "),
        "a fraction": field(entry, 2, b"1.5", b" "),
        "a negative count": field(entry, 2, b"-1", b" "),
        "a huge count": field(entry, 2, b"99999999999", b" "),
        "not a number": field(entry, 2, b"nan", b" "),
        "text": field(entry, 2, b"many", b" "),
        "two numbers in a line": line(entry, lambda text: text.rsplit(b" ", 1)[0]),
        "four numbers in a line": line(entry, lambda text: text + b" 1"),
        "one line twice": line(entry, lambda text: text + b"\n" + text),
        "cut in the middle of a line": lambda c: c[: len(c) // 2],
    }
    for name, change in changes.items():
        yield Case(f"matrix: {name}", "10x folder", rewritten("matrix", change))
    yield Case("matrix: lines in any order", "10x folder", rewritten("matrix", shuffled), expected=same)
    spaced = rewritten("matrix", lambda c: c.replace(b" 1\n", b"  1 \n"))
    yield Case("matrix: more blanks", "10x folder", spaced, expected=same)


def tables_of_folders() -> Iterator[Case]:
    kind = "10x folder"
    refused = {
        "features: two columns": (
            "features",
            lambda c: b"\n".join(b"\t".join(x.split(b"\t")[:2]) for x in c.split(b"\n")),
        ),
        "features: genes alone": ("features", lambda c: c.replace(b"\tPeaks\t", b"\tGene Expression\t")),
        "features: peaks alone": ("features", lambda c: c.replace(b"\tGene Expression\t", b"\tPeaks\t")),
        "features: other types": ("features", lambda c: c.replace(b"\tPeaks\t", b"\tCRISPR Guide Capture\t")),
        "features: one id twice": ("features", field(0, 0, b"ENSG00001")),
        "features: one line more": ("features", lambda c: c + b"X\tX\tPeaks\tchr1\t1\t2\n"),
        "barcodes: one twice": ("barcodes", lambda c: c.replace(*c.split(b"\n")[:2][::-1], 1)),
        "barcodes: one more": ("barcodes", lambda c: c + b"ACGT-99\n"),
        "labels: other barcodes": ("labels", lambda c: c.replace(b"-", b"#")),
        "labels: one column": ("labels", lambda c: c.replace(b",", b" ")),
        "labels: two for one cell": ("labels", lambda c: c + c.split(b"\n")[1].split(b",")[0] + b",another\n"),
        "labels: a barcode left out": ("labels", line(3, lambda text: b"," + text.split(b",", 1)[1])),
        "labels: an open quote": ("labels", line(3, lambda text: text[:-1])),
        "labels: a line of three": ("labels", line(3, lambda text: text + b",3")),
        "labels: none given": ("labels", lambda c: b"\n".join(x.split(b",")[0] + b"," for x in c.split(b"\n")[:-1])),
        "labels: three columns, none known": (
            "labels",
            lambda c: c.replace(b"barcode,label", b"barcode,u").replace(b",", b",1,"),
        ),
        "genes: of another genome": ("genes", lambda c: c.replace(b"ENSG", b"ENSMUSG")),
        "genes: three columns": ("genes", lambda c: b"\n".join(b"\t".join(x.split(b"\t")[:3]) for x in c.split(b"\n"))),
        "genes: a start that is text": ("genes", field(2, 1, b"first")),
        "genes: a negative start": ("genes", field(2, 1, b"-4")),
        "genes: an end below its start": ("genes", field(2, 2, b"1")),
        "genes: separated by blanks": ("genes", lambda c: c.replace(b"\t", b" ")),
        "genes: on other chromosomes": ("genes", lambda c: c.replace(b"chr", b"scaffold_")),
    }
    for name, (which, change) in refused.items():
        yield Case(name, kind, rewritten(which, change))
    read = {
        "labels: no header": ("labels", lambda c: c.split(b"\n", 1)[1]),
        "labels: semicolons": ("labels", lambda c: c.replace(b",", b";")),
        "labels: tabs": ("labels", lambda c: c.replace(b",", b"\t")),
        "labels: a line twice": ("labels", lambda c: c + c.split(b"\n")[1] + b"\n"),
        "labels: cells that are not there": ("labels", lambda c: c + b"TTTT-1,B\n"),
        "labels: three columns": ("labels", lambda c: c.replace(b",", b",1,").replace(b"barcode,1,", b"barcode,umis,")),
        "genes: without chr": ("genes", lambda c: c.replace(b"chr", b"")),
        "genes: versions": ("genes", lambda c: c.replace(b"\t0\t", b".7\t0\t")),
        "genes: a line twice": ("genes", lambda c: c + c.split(b"\n")[0] + b"\n"),
        "genes: comments": ("genes", lambda c: b"track name=genes\n# made by hand\n" + c),
        "genes: more genes": ("genes", lambda c: c + b"chr9\t5\t50\tENSG99999\t0\t+\n"),
        "features: genes without a place": (
            "features",
            lambda c: c.replace(b"Gene Expression\tchr1\t", b"Gene Expression\t\t"),
        ),
        "features: a type more": ("features", lambda c: c),
    }
    for name, (which, change) in read.items():
        yield Case(name, kind, rewritten(which, change), expected=same)
    yield Case(
        "labels: some cells without",
        kind,
        rewritten("labels", lambda c: b"\n".join(c.split(b"\n")[:11])),
        expected=lambda m: m.take_cells(np.arange(10)),
    )
    yield Case(
        "genes: one left out",
        kind,
        rewritten("genes", line(4, lambda text: None)),
        expected=lambda m: m.take_features(np.delete(np.arange(m.n_genes), 4), np.arange(m.n_peaks)),
    )


# ---------------------------------------------------------------- data sets that are odd, or are none


def renamed(multiome: Multiome, *, cells: str = "{}", genes: str = "{}", types: str = "{}") -> Multiome:
    table = multiome.cells.set_axis([cells.format(name) for name in multiome.cells.index])
    table["cell_type"] = table["cell_type"].cat.rename_categories(types.format)
    names = [genes.format(name) for name in multiome.genes.index]
    return replace(multiome, cells=table, genes=multiome.genes.set_axis(names))


def on_chromosomes(multiome: Multiome, names: dict[str, str]) -> Multiome:
    genes = multiome.genes.assign(chrom=multiome.genes["chrom"].map(names))
    peaks = multiome.peaks.assign(chrom=multiome.peaks["chrom"].map(names))
    peaks.index = pd.Index([f"{c}:{s}-{e}" for c, s, e in peaks.itertuples(index=False)])
    gene_order, peak_order = genome_order(genes), genome_order(peaks)
    return replace(
        multiome,
        genes=genes.iloc[gene_order],
        peaks=peaks.iloc[peak_order],
        rna=multiome.rna[:, gene_order].sorted_indices(),
        atac=multiome.atac[:, peak_order].sorted_indices(),
    )


def without_chromosome(which: str) -> Change:
    def change(multiome: Multiome) -> Multiome:
        genes, peaks = multiome.genes["chrom"] != "chrX", multiome.peaks["chrom"] != "chrX"
        keep_genes = np.flatnonzero(genes) if which == "genes" else np.arange(multiome.n_genes)
        keep_peaks = np.flatnonzero(peaks) if which == "peaks" else np.arange(multiome.n_peaks)
        return multiome.take_features(keep_genes, keep_peaks)

    return change


def emptied(multiome: Multiome) -> Multiome:
    rna, atac = multiome.rna.tolil(), multiome.atac.tolil()
    rna[2], atac[5] = 0, 0
    return replace(multiome, rna=rna.tocsr(), atac=atac.tocsr())


def without_empty(multiome: Multiome) -> Multiome:
    return multiome.take_cells(np.delete(np.arange(multiome.n_cells), [2, 5]))


def reaching(genes_to: int, peaks_to: int) -> Change:
    """Genes and peaks of chr1 reach to the given places."""

    def change(multiome: Multiome) -> Multiome:
        chromosomes = {"chr1": "chr17", "chr2": "chr1", "chr10": "chr18", "chrX": "chrX"}
        multiome = on_chromosomes(multiome, chromosomes)
        genes, peaks = multiome.genes.copy(), multiome.peaks.copy()
        last_gene = int(np.flatnonzero(genes["chrom"] == "chr1" if genes_to > 2e8 else genes["chrom"] == "chr17")[-1])
        last_peak = int(np.flatnonzero(peaks["chrom"] == "chr1" if peaks_to > 2e8 else peaks["chrom"] == "chr17")[-1])
        genes.iloc[last_gene, [2, 3]] = [genes_to - 500, genes_to]
        peaks.iloc[last_peak, [1, 2]] = [peaks_to - 500, peaks_to]
        peaks.index = pd.Index([f"{c}:{s}-{e}" for c, s, e in peaks.itertuples(index=False)])
        return replace(multiome, genes=genes, peaks=peaks)

    return change


SCAFFOLDS = {"chr1": "chr1_GL456211_random", "chr2": "chrM", "chr10": "KI270728.1", "chrX": "chrX"}
UNNAMED = {"chr1": "1", "chr2": "2", "chr10": "MT", "chrX": "X"}


def odd_data() -> Iterator[Case]:
    for kind in ("pair", "h5mu", "10x h5", "10x folder", "h5ad", "prepared"):
        yield Case(
            "unicode names",
            kind,
            change=lambda m: renamed(m, cells="{}-β", genes="ген_{}", types="Zelle «{}», 型"),
            expected=same,
        )
        yield Case(
            "names with blanks and quotes",
            kind,
            change=lambda m: renamed(m, cells="c {}", genes="g'{}", types="a b, {}"),
            expected=same,
        )
        yield Case("scaffolds and chrM", kind, change=lambda m: on_chromosomes(m, SCAFFOLDS), expected=same)
        yield Case("chromosomes without chr", kind, change=lambda m: on_chromosomes(m, UNNAMED), expected=same)
        yield Case("no peak on a chromosome", kind, change=without_chromosome("peaks"), expected=same)
        yield Case("no gene on a chromosome", kind, change=without_chromosome("genes"), expected=same)
        yield Case(
            "one cell type",
            kind,
            change=one_type,
            expected=same,
        )
        yield Case("one cell", kind, change=lambda m: one_type(m.take_cells([3])), expected=same)
        if kind != "prepared":
            yield Case("empty cells", kind, change=emptied, expected=without_empty)
            yield Case("genes of hg19, peaks of hg38", kind, change=reaching(249_240_000, 83_250_000))
            yield Case("genes of hg38, peaks of hg19", kind, change=reaching(83_250_000, 249_240_000))
            yield Case("all of hg38", kind, change=reaching(83_250_000, 83_200_000), expected=same)


def one_type(multiome: Multiome) -> Multiome:
    types = pd.Categorical(["only"] * multiome.n_cells)
    return replace(multiome, cells=multiome.cells.assign(cell_type=types))


def prefixed(share: float) -> Spoil:
    """A 10x .h5 whose chromosomes stand after the name of the genome, all or some of them."""

    def spoil(source: Source, rng: np.random.Generator) -> None:
        multiome = base()
        features = features_of(multiome)
        chosen = np.arange(len(features)) < share * len(features)
        features["interval"] = np.where(chosen, "GRCh38_" + features["interval"], features["interval"])
        peaks = chosen & (features["feature_type"] == "Peaks")
        features["id"] = np.where(peaks, "GRCh38_" + features["id"], features["id"])
        assert source.cells is not None
        write_10x_h5(source.cells, multiome, features)

    return spoil


def references() -> Iterator[Case]:
    yield Case("a genome before every chromosome", "10x h5", prefixed(1.0), expected=same)
    yield Case("a genome before some chromosomes", "10x h5", prefixed(0.9))


def cases() -> list[Case]:
    """All cases; names are unique within a format."""
    parts = (
        whole_files,
        counts_in_hdf5,
        elements_of_hdf5,
        text_files,
        matrix_lines,
        tables_of_folders,
        odd_data,
        references,
    )
    return [case for part_of in parts for case in part_of()]


def make(case: Case, folder: Path, written: dict[str, Source]) -> tuple[Source, Multiome]:
    """The damaged files in an empty folder, and the truth that they came from."""
    truth = base() if case.change is None else case.change(base())
    if case.change is not None:
        source = write_as(case.kind, folder / "files", truth)
    else:
        template = written[case.kind]
        home = next(path for path in (template.cells, template.rna) if path is not None).parent
        shutil.copytree(home, folder / "files")
        moved = {
            name: folder / "files" / path.relative_to(home)
            for name in ("cells", "rna", "atac", "labels", "genes")
            if (path := getattr(template, name)) is not None
        }
        source = replace(template, **moved)
    if case.spoil is not None:
        rng = np.random.default_rng(sum(case.name.encode()) * 31 + len(case.kind))
        source = case.spoil(source, rng) or source
    return source, truth
