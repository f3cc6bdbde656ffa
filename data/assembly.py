"""Which genome assembly genes and peaks lie on, told from how far they reach on each chromosome."""

from __future__ import annotations

import functools

import pandas as pd

from bi2scope.data.errors import RegionError
from bi2scope.data.regions import bare_chromosome

ASSEMBLIES = ("hg38", "hg19", "mm10", "mm39")
"""Assemblies that are told apart."""

OVERHANG = 10_000
"""Bases by which an interval may reach over the end of its chromosome: peaks are widened without regard to it."""

PLAINLY_OVER = 100_000
"""Bases over the end of a chromosome that no widening of peaks explains."""

FEWEST_NAMED = 0.5
"""Share of intervals on chromosomes that an assembly knows, below which it is none of these genomes."""


@functools.cache
def chromosome_lengths(assembly: str) -> dict[str, int]:
    """Length of each assembled chromosome, by its name without ``chr``; the mitochondrial one is left out."""
    import bioframe

    lengths = bioframe.assembly_info(assembly).chromsizes
    return {bare_chromosome(str(name)): int(length) for name, length in lengths.items() if name != "chrM"}


def overhangs(intervals: pd.DataFrame) -> dict[str, int]:
    """How many bases the intervals reach over the end of a chromosome of each assembly, at most; negative if none does.

    Parameters
    ----------
    intervals
        Columns ``chrom`` and ``end``. Chromosomes that an assembly does not know (scaffolds, chrM) say nothing; an
        assembly that does not know the chromosomes of most intervals is left out.
    """
    table = pd.DataFrame({"chrom": intervals["chrom"].to_numpy(), "end": intervals["end"].to_numpy()})
    ends = table.groupby("chrom")["end"].agg(["max", "size"]).rename(lambda name: bare_chromosome(str(name)))
    found = {}
    for assembly in ASSEMBLIES:
        lengths = pd.Series(chromosome_lengths(assembly)).reindex(ends.index)
        known = lengths.notna()
        if ends["size"][known].sum() >= FEWEST_NAMED * len(table):
            found[assembly] = int((ends["max"][known] - lengths[known]).max())
    return found


def fitting_assemblies(intervals: pd.DataFrame) -> tuple[str, ...]:
    """Assemblies on whose chromosomes all intervals have room.

    Returns
    -------
    assemblies
        Of :data:`ASSEMBLIES`; one when the intervals tell, several when they do not reach far enough, none when
        they are of another genome.
    """
    return _fitting(overhangs(intervals))


def _fitting(over: dict[str, int]) -> tuple[str, ...]:
    return tuple(assembly for assembly, bases in over.items() if bases <= OVERHANG)


def guessed_assembly(genes: pd.DataFrame, peaks: pd.DataFrame) -> str:
    """One assembly in words: its name, which ones it may be, or that none of those known fits."""
    places = ["chrom", "end"]
    fitting = fitting_assemblies(pd.concat([genes[places], peaks[places]]))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        return f"cannot tell ({' and '.join(fitting)} fit)"
    return f"cannot tell (none of {', '.join(ASSEMBLIES)} fits)"


def check_one_assembly(genes: pd.DataFrame, peaks: pd.DataFrame, rna_source: str, atac_source: str) -> None:
    """Check that genes and peaks are not plainly of two assemblies.

    Raises
    ------
    RegionError
        If no assembly that the genes fit is one that the peaks fit, and by far.
    """
    apart = plainly_apart(overhangs(genes), overhangs(peaks))
    if apart:
        raise RegionError(
            f"The genes of {rna_source} lie on {' or '.join(apart[0])}, the peaks of {atac_source} on "
            f"{' or '.join(apart[1])}, judged by how far they reach on each chromosome.",
            "Give genes of the peaks' genome: --genes genes.gtf.gz, or lift one of the two over.",
        )


def plainly_apart(one: dict[str, int], other: dict[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The assemblies of two tables of intervals by their :func:`overhangs`, if plainly different; else ``None``."""
    of_one, of_other = _fitting(one), _fitting(other)
    apart = all(other.get(each, 0) > PLAINLY_OVER for each in of_one) and all(
        one.get(each, 0) > PLAINLY_OVER for each in of_other
    )
    return (of_one, of_other) if of_one and of_other and apart else None
