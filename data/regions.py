"""Places on a genome: names of peaks, order of chromosomes, distances to the start of a gene, BED files.

Coordinates are 0-based and half-open throughout, as in BED.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
from natsort import natsort_keygen, ns

from bi2scope.data.errors import RegionError

MAX_BED_BYTES = 256 * 2**20
"""Size of a BED file, unpacked, above which reading stops: a small .gz can unpack to anything."""

PEAK_SPELLINGS = "chr:start-end, chr-start-end or chr_start_end"

_PEAK = re.compile(r"(?P<chrom>.+)(?P<first>[:_-])(?P<start>[0-9]{1,12})(?P<second>[_-])(?P<end>[0-9]{1,12})")
_SEPARATORS = {":-", "--", "__"}
_INTEGER = r"[0-9]{1,12}"

Ints = npt.NDArray[np.int64]


# ---------------------------------------------------------------- chromosomes


def natural_chromosome_order(names: Iterable[str]) -> list[str]:
    """Chromosomes in the order of a genome browser, each once.

    Numbered ones first (2 before 10), then other letters, X, Y and M (or MT); after them the scaffolds that
    belong to no chromosome or to a place in it that is not known (``chr1_KI270706v1_random``, ``GL000194.1``).
    """
    by_nature = natsort_keygen(alg=ns.IGNORECASE)
    return sorted({str(name) for name in names}, key=lambda name: (_group(name), by_nature(name), name))


def _group(name: str) -> int:
    """Place of a chromosome's kind in the natural order."""
    bare = bare_chromosome(name).upper()
    if "_" in bare or "." in bare or len(bare) > 4:
        return 5
    if bare[:1].isdigit():
        return 0
    return {"X": 2, "Y": 3, "M": 4, "MT": 4}.get(bare, 1)


def bare_chromosome(name: str) -> str:
    """Name of a chromosome without ``chr``, to tell whether two tables differ by that alone."""
    return name[3:] if name[:3].lower() == "chr" and len(name) > 3 else name


# ---------------------------------------------------------------- peaks by name


def peak_name(chrom: str, start: int, end: int) -> str:
    """The one spelling that is written: ``chr1:100-200``."""
    return f"{chrom}:{start}-{end}"


def parse_peak_name(name: str) -> tuple[str, int, int]:
    """Chromosome, start and end from any of the three spellings that are read.

    Raises
    ------
    RegionError
        If the name is none of ``chr:start-end``, ``chr-start-end``, ``chr_start_end``, or start is not below end.
    """
    found = _PEAK.fullmatch(name)
    if found is None or found["first"] + found["second"] not in _SEPARATORS:
        raise RegionError(f"{name!r} is not the name of a peak; wanted {PEAK_SPELLINGS}.")
    start, end = int(found["start"]), int(found["end"])
    if start >= end:
        raise RegionError(f"Peak {name!r} starts at {start} and ends at {end}; the start must lie below the end.")
    return found["chrom"], start, end


# ---------------------------------------------------------------- tables of intervals


def check_intervals(table: pd.DataFrame, what: str, source: str) -> None:
    """Check a table of intervals at the door; trusted afterwards.

    Parameters
    ----------
    table
        Columns ``chrom`` (str), ``start``, ``end`` (int64); the index names the rows in messages.
    what, source
        What a row is (``"peak"``) and where the table comes from, for messages.

    Raises
    ------
    RegionError
        If a chromosome is empty, a start is negative or a start is not below its end.
    """
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    nameless = table["chrom"].astype(str).str.strip().to_numpy() == ""
    for bad, fault in (
        (nameless, "has no chromosome"),
        (start < 0, "starts below 0"),
        (start >= end, "does not start below its end"),
    ):
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise RegionError(
                f"{source}: {what} {table.index[row]} ({table['chrom'].iloc[row]}:{start[row]}-{end[row]}) {fault}"
                f" ({int(bad.sum())} of {len(table)} such {what}s).",
                "Coordinates are 0-based and half-open, as in BED.",
            )


def genome_order(table: pd.DataFrame) -> Ints:
    """Positions that bring a table into genome order: natural chromosome order, start, end, then the index."""
    chrom = table["chrom"].astype(str)
    code = pd.Index(natural_chromosome_order(chrom.unique())).get_indexer(pd.Index(chrom))
    names = table.index.to_numpy().astype(str)
    return np.lexsort((names, table["end"], table["start"], code)).astype(np.int64)


# ---------------------------------------------------------------- transcription start sites


def tss(genes: pd.DataFrame) -> Ints:
    """``(n_genes,)`` transcription start sites: the start on ``+`` and ``.``, the last base (end - 1) on ``-``."""
    start, end = genes["start"].to_numpy(np.int64), genes["end"].to_numpy(np.int64)
    return np.where(genes["strand"].to_numpy() == "-", end - 1, start)


def distance_to_tss(
    gene_tss: npt.ArrayLike, gene_strand: npt.ArrayLike, peak_start: npt.ArrayLike, peak_end: npt.ArrayLike
) -> Ints:
    """Bases from a gene's start to the middle of a peak; negative is upstream of the gene.

    The middle is ``(start + end) // 2``; the sign is turned on the ``-`` strand. Arguments broadcast.
    """
    middle = (np.asarray(peak_start, np.int64) + np.asarray(peak_end, np.int64)) // 2
    offset = middle - np.asarray(gene_tss, np.int64)
    return np.where(np.asarray(gene_strand) == "-", -offset, offset)


# ---------------------------------------------------------------- BED


@dataclass(frozen=True)
class Bed:
    """Intervals of a BED file, in the file's order.

    Attributes
    ----------
    intervals
        Columns ``chrom`` (str), ``start``, ``end`` (int64), ``score`` (float64); of a narrowPeak also ``summit``
        (int64): bases from the start to the summit, -1 where it is not known.
    score_column
        Which column the score was: ``"score"`` (5), ``"signalValue"`` (7, narrowPeak and broadPeak),
        ``"value"`` (4, bedGraph), the name of the one that was chosen (``"pValue"``, ``"column 11"``) or ``"none"``:
        the file has no scores, or none was wanted, and each interval counts 1.
    """

    intervals: pd.DataFrame
    score_column: str


def read_bed(source: str | Path | BinaryIO, name: str = "", score_column: int | None = None) -> Bed:
    """Read BED3 to BED12, narrowPeak, broadPeak or bedGraph, plain or gzipped.

    Parameters
    ----------
    source
        A path, or a file open for reading bytes.
    name
        Name of the file in messages (default: the path); its ending tells broadPeak and bedGraph from BED.
    score_column
        Column that holds the scores, counted from 1; 0 for none. By the format, unless given.

    Raises
    ------
    RegionError
        If the file is missing, is not text, has no intervals, or a line has too few columns, text where a number
        belongs, or a start that is not below its end; the message names line and column.
    """
    name = name or (str(source) if isinstance(source, str | Path) else "the BED file")
    lines, numbers = _data_lines(_text(_bytes(source, name), name))
    if not lines:
        raise RegionError(f"{name} holds no intervals.", "A BED file has chromosome, start and end in each line.")
    separator = "\t" if "\t" in lines[0] else None
    rows = [line.split(separator) for line in lines]
    width = _width(rows, numbers, name)
    start = _integers([row[1] for row in rows], numbers, 2, "start", name)
    end = _integers([row[2] for row in rows], numbers, 3, "end", name)
    score, named = _scores(rows, _score_column(width, name) if score_column is None else score_column, numbers, name)
    intervals = pd.DataFrame({"chrom": [row[0].strip() for row in rows], "start": start, "end": end, "score": score})
    check_intervals(intervals.set_axis([f"in line {number}" for number in numbers]), "interval", name)
    if width == 10:
        intervals["summit"] = _summits([row[9].strip() for row in rows], numbers, name)
    return Bed(intervals, named)


def _bytes(source: str | Path | BinaryIO, name: str) -> bytes:
    """Contents of a plain or gzipped file, unpacked, at most :data:`MAX_BED_BYTES`."""
    try:
        raw = Path(source).read_bytes() if isinstance(source, str | Path) else source.read()
    except OSError as error:
        raise RegionError(f"{name} cannot be read: {error.strerror or error}.") from error
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(MAX_BED_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise RegionError(f"{name} is a damaged gzip file ({error}).", "Fetch or pack it again.") from error
    if len(raw) > MAX_BED_BYTES:
        raise RegionError(f"{name} is larger than {MAX_BED_BYTES // 2**20} MB unpacked.", "Keep the intervals needed.")
    return raw


def _text(raw: bytes, name: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise RegionError(f"{name} is not a text file.", "Wanted a BED file, plain or gzipped, in UTF-8.")
    return text


def _data_lines(text: str) -> tuple[list[str], list[int]]:
    """Lines with intervals, and their numbers in the file, from 1."""
    lines, numbers = [], []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.strip() and not line.startswith(("#", "track", "browser")):
            lines.append(line)
            numbers.append(number)
    return lines, numbers


def _width(rows: list[list[str]], numbers: list[int], name: str) -> int:
    """Columns that every line has."""
    widths = np.array([len(row) for row in rows])
    if (widths < 3).any():
        bad = int(np.flatnonzero(widths < 3)[0])
        raise RegionError(
            f"{name}, line {numbers[bad]} has {widths[bad]} column(s); wanted at least chromosome, start and end.",
            "Separate the columns with tabs.",
        )
    return int(widths.min())


def _integers(texts: list[str], numbers: list[int], column: int, field: str, name: str) -> Ints:
    good = pd.Series(texts, dtype="object").str.strip().str.fullmatch(_INTEGER).to_numpy(bool)
    if not good.all():
        _refuse(texts, good, numbers, f"column {column} ({field})", name, "a whole number, 0 or more")
    return np.array(texts, dtype="U").astype(np.int64)


def _scores(rows: list[list[str]], column: int, numbers: list[int], name: str) -> tuple[npt.NDArray[np.float64], str]:
    """Scores from a column (from 1; 0 for none), and its name."""
    width = min(len(row) for row in rows)
    if column > width or column in {1, 2, 3}:
        raise RegionError(
            f"{name} has no scores in column {column}; its lines have {width} columns.",
            "Columns count from 1, and the first three are the place; 0 counts presence alone.",
        )
    texts = [row[column - 1].strip() for row in rows] if column else []
    if not column or set(texts) == {"."}:
        return np.ones(len(rows)), "none"
    scores = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(np.float64)
    field = _column_name(column, width, name)
    if not np.isfinite(scores).all():
        _refuse(texts, np.isfinite(scores), numbers, f"column {column} ({field})", name, "a number")
    return scores, field


def _is_bedgraph(width: int, name: str) -> bool:
    return width >= 4 and _ending(name) in {"bedgraph", "bdg", "bg"}


def _ending(name: str) -> str:
    return name.lower().removesuffix(".gz").rsplit(".", 1)[-1]


def _is_encode(width: int, name: str) -> bool:
    """Whether it is a narrowPeak or a broadPeak."""
    return width == 10 or (width == 9 and _ending(name) == "broadpeak")


def _score_column(width: int, name: str) -> int:
    """Column of the score (from 1; 0 for none) by the format that ending and width speak for."""
    if _is_bedgraph(width, name):
        return 4
    if _is_encode(width, name):
        return 7
    return 5 if width >= 5 else 0


def _column_name(column: int, width: int, name: str) -> str:
    named = {5: "score"}
    if _is_bedgraph(width, name):
        named = {4: "value"}
    elif _is_encode(width, name):
        named |= {7: "signalValue", 8: "pValue", 9: "qValue"}
    return named.get(column, f"column {column}")


def _summits(texts: list[str], numbers: list[int], name: str) -> Ints:
    good = pd.Series(texts, dtype="object").str.fullmatch(f"-1|{_INTEGER}").to_numpy(bool)
    if not good.all():
        _refuse(texts, good, numbers, "column 10 (peak)", name, "a whole number, or -1 where there is no summit")
    return np.array(texts, dtype="U").astype(np.int64)


def _refuse(
    texts: list[str], good: npt.NDArray[np.bool_], numbers: list[int], column: str, name: str, wanted: str
) -> None:
    bad = int(np.flatnonzero(~good)[0])
    raise RegionError(
        f"{name}, line {numbers[bad]}, {column}: found {texts[bad][:40]!r}, wanted {wanted}.",
        "If this is a header line, put a # before it." if bad == 0 else "",
    )
