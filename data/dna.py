"""The sequence of each peak as 256 numbers, from a FASTA of the peaks or of the genome."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import ConfigurationError, DatasetError, RegionError
from bi2scope.data.multiome import DNA_LENGTH, Multiome
from bi2scope.data.regions import bare_chromosome, parse_peak_name, peak_name
from bi2scope.data.textfile import open_text

BASES = {"A": 0.25, "T": 0.5, "G": 0.75, "C": 1.0}
"""Number of each base, as the paper's code has them; everything else is 0."""

_NUMBER = np.zeros(256, dtype=np.float32)
for _base, _value in BASES.items():
    # small letters mark repeats, not other bases
    _NUMBER[[ord(_base), ord(_base.lower())]] = _value

Codes = npt.NDArray[np.float32]


def encoded(sequence: str) -> Codes:
    """``(256,)`` numbers of the first 256 bases; 0 (as N) where the sequence is shorter, as in the paper's code."""
    codes = np.zeros(DNA_LENGTH, dtype=np.float32)
    letters = np.frombuffer(sequence[:DNA_LENGTH].encode("ascii", "replace"), dtype=np.uint8)
    codes[: len(letters)] = _NUMBER[letters]
    return codes


def with_peak_fasta(multiome: Multiome, path: str | Path) -> Multiome:
    """A data set with the sequences of its peaks from a FASTA that has one record per peak.

    Records are found by name, in any of the spellings of a peak; peaks without a record have 256 N, and a note says
    how many.

    Raises
    ------
    DatasetError
        If the file is not a FASTA, two records are of one peak, or it has none of the peaks.
    """
    path = Path(path)
    wanted = {name: row for row, name in enumerate(multiome.peaks.index)}
    codes = np.zeros((multiome.n_peaks, DNA_LENGTH), dtype=np.float32)
    found: set[int] = set()
    n_records = 0
    for name, sequence in _records(path):
        n_records += 1
        row = wanted.get(_peak_of(name))
        if row is None:
            continue
        if row in found:
            raise DatasetError(f"{path} has two sequences of {multiome.peaks.index[row]}.", "Keep one of each.")
        found.add(row)
        codes[row] = encoded(sequence)
    if not found:
        raise DatasetError(
            f"{path} has none of the peaks among its {n_records} sequences.",
            f"Its records must be named as the peaks are, such as {multiome.peaks.index[0]}.",
        )
    return _with_codes(multiome, codes, multiome.n_peaks - len(found), f"{path}")


def with_genome_fasta(multiome: Multiome, path: str | Path) -> Multiome:
    """A data set with the sequences of its peaks cut out of a FASTA of the genome, by pyfaidx.

    ``1`` and ``chr1`` are one chromosome. Peaks on chromosomes that the FASTA lacks have 256 N, and a note says how
    many. An index (``.fai``) is made beside the FASTA when there is none.

    Raises
    ------
    ConfigurationError
        If pyfaidx is not installed.
    DatasetError
        If the file is not a FASTA, or has none of the chromosomes.
    RegionError
        If a peak reaches over the end of its chromosome.
    """
    try:
        import pyfaidx
    except ImportError as error:
        raise ConfigurationError("--genome needs pyfaidx.", "Install it with: pip install pyfaidx.") from error
    path = Path(path)
    with open_text(path, "a FASTA of the genome") as text:
        if not text.read(1).startswith(">"):
            raise DatasetError(f"{path} is not a FASTA: it does not begin with >.")
    try:
        with pyfaidx.Fasta(str(path), as_raw=True, rebuild=True) as genome:
            return _cut_out(multiome, genome, path)
    except (
        pyfaidx.FastaIndexingError,
        pyfaidx.FetchError,
        pyfaidx.FastaNotFoundError,
        OSError,
        ValueError,
        ImportError,
    ) as error:
        hint = "Pack it with bgzip instead of gzip, or unpack it." if path.suffix == ".gz" else ""
        raise DatasetError(f"{path} cannot be read as a FASTA ({error}).", hint) from error


def _cut_out(multiome: Multiome, genome: Any, path: Path) -> Multiome:
    records = {bare_chromosome(record.name): record for record in genome}
    codes = np.zeros((multiome.n_peaks, DNA_LENGTH), dtype=np.float32)
    missing = 0
    chroms = multiome.peaks["chrom"].astype(str).map(bare_chromosome)
    for row, (chrom, start, end) in enumerate(zip(chroms, multiome.peaks["start"], multiome.peaks["end"], strict=True)):
        record = records.get(chrom)
        if record is None:
            missing += 1
            continue
        if end > len(record):
            raise RegionError(
                f"Peak {multiome.peaks.index[row]} reaches over the end of {record.name} in {path} ({len(record):,}).",
                "Is it the genome that the reads were mapped to?",
            )
        codes[row] = encoded(str(record[int(start) : min(int(end), int(start) + DNA_LENGTH)]))
    if missing == multiome.n_peaks:
        raise DatasetError(f"{path} has none of the chromosomes of the peaks; it has {', '.join(list(records)[:4])}.")
    return _with_codes(multiome, codes, missing, f"{path}")


def _with_codes(multiome: Multiome, codes: Codes, missing: int, source: str) -> Multiome:
    note = f"The sequences of the peaks (first {DNA_LENGTH} bases) are those of {source}"
    note += f"; {missing} of {multiome.n_peaks} peaks are not in it and have N." if missing else "."
    return replace(multiome, peak_dna=codes, notes=(*multiome.notes, note))


def _records(path: Path) -> list[tuple[str, str]]:
    """Name (up to the first blank) and sequence of each record, cut at what is needed."""
    records: list[tuple[str, list[str]]] = []
    length = 0
    with open_text(path, "a FASTA of the peaks") as text:
        for number, line in enumerate(text, start=1):
            if line.startswith(">"):
                records.append((line[1:].strip().split(" ")[0].split("\t")[0], []))
                length = 0
            elif not records and line.strip():
                raise DatasetError(f"{path}, line {number}: wanted a FASTA, which begins with > and a name.")
            elif records and length < DNA_LENGTH:
                records[-1][1].append(line.strip())
                length += len(line.strip())
    if not records:
        raise DatasetError(f"{path} is empty; wanted a FASTA of the peaks.")
    return [(name, "".join(parts)) for name, parts in records]


def _peak_of(name: str) -> str:
    """A record's name in the spelling of the peaks' index; itself if it is not the name of a peak."""
    # bedtools getfasta -name writes NAME::chr1:100-200
    try:
        return peak_name(*parse_peak_name(name.rsplit("::", 1)[-1]))
    except RegionError:
        return name
