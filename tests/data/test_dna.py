"""Sequences of peaks as numbers."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from multiomes import random_multiome

from bi2scope.data.dna import encoded, with_genome_fasta, with_peak_fasta
from bi2scope.data.errors import DatasetError, RegionError
from bi2scope.data.prepared import read_prepared, write_prepared

NUMBER = {"A": 0.25, "T": 0.5, "G": 0.75, "C": 1.0}


def plainly(sequence):
    """The formula of the paper's code, letter by letter (small letters are letters too)."""
    return [NUMBER.get(base, 0.0) for base in sequence.upper()[:256].ljust(256, "N")]


@pytest.fixture(scope="module")
def genome():
    rng = np.random.default_rng(0)
    return {chrom: "".join(rng.choice(list("ACGTNacgt"), 3_000)) for chrom in ("chr1", "chr2", "chr10", "chrX")}


@pytest.fixture(scope="module")
def multiome(genome):
    """Peaks of 40 to 400 bases within the first 3,000."""
    found = random_multiome(3)
    rng = np.random.default_rng(1)
    peaks = found.peaks.copy()
    for chrom in genome:
        rows = np.flatnonzero(peaks["chrom"] == chrom)
        peaks.iloc[rows, 1] = np.sort(rng.choice(2_500, len(rows), replace=False))
    peaks["end"] = peaks["start"] + rng.integers(40, 400, len(peaks))
    peaks.index = [f"{c}:{s}-{e}" for c, s, e in peaks.itertuples(index=False)]
    return replace(found, peaks=peaks)


def of_peaks(multiome, genome):
    return {name: genome[p["chrom"]][p["start"] : p["end"]] for name, p in multiome.peaks.iterrows()}


def fasta(path, records, width=60):
    lines = [
        f">{name}\n" + "\n".join(text[at : at + width] for at in range(0, len(text), width))
        for name, text in records.items()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("sequence", ["", "ACGT", "acgtnRYK", "G" * 256, "CT" * 300])
def test_letters_become_numbers_and_n_fills_up(sequence):
    np.testing.assert_array_equal(encoded(sequence), np.array(plainly(sequence), dtype=np.float32))


@pytest.mark.parametrize("spelling", ["{}:{}-{}", "{}-{}-{}", "{}_{}_{} extra words", "peak7::{}:{}-{}"])
def test_sequences_of_a_fasta_of_peaks(tmp_path, multiome, genome, spelling):
    records = {
        spelling.format(*multiome.peaks.loc[name, ["chrom", "start", "end"]]): text
        for name, text in reversed(of_peaks(multiome, genome).items())
    }
    path = fasta(tmp_path / "peaks.fa", records)
    path.write_bytes(gzip.compress(path.read_bytes()))
    found = with_peak_fasta(multiome, path)
    wanted = [plainly(text) for text in of_peaks(multiome, genome).values()]
    np.testing.assert_array_equal(found.peak_dna, np.array(wanted, dtype=np.float32))
    assert found.peak_dna.dtype == np.float32


def test_a_fasta_of_the_genome_gives_the_same(tmp_path, multiome, genome):
    by_peak = with_peak_fasta(multiome, fasta(tmp_path / "peaks.fa", of_peaks(multiome, genome)))
    named = {name.removeprefix("chr"): text for name, text in genome.items()}
    by_genome = with_genome_fasta(multiome, fasta(tmp_path / "genome.fa", named))
    np.testing.assert_array_equal(by_genome.peak_dna, by_peak.peak_dna)
    assert by_genome.digest == by_peak.digest != multiome.digest


def test_peaks_without_a_sequence_have_n_aloud(tmp_path, multiome, genome):
    records = of_peaks(multiome, genome)
    lost = list(records)[4]
    del records[lost]
    found = with_peak_fasta(multiome, fasta(tmp_path / "peaks.fa", records))
    assert not found.peak_dna[4].any()
    assert found.notes[-1].endswith("; 1 of 30 peaks are not in it and have N.")


def test_features_taken_keep_their_sequences_and_none_stays_none(tmp_path, multiome, genome):
    found = with_peak_fasta(multiome, fasta(tmp_path / "peaks.fa", of_peaks(multiome, genome)))
    taken = found.take_features([0, 3], [1, 5, 8])
    np.testing.assert_array_equal(taken.peak_dna, found.peak_dna[[1, 5, 8]])
    assert multiome.take_features([0], [1]).peak_dna is None
    np.testing.assert_array_equal(found.take_cells([0]).peak_dna, found.peak_dna)


def test_a_prepared_file_keeps_sequences(tmp_path, multiome, genome):
    found = with_peak_fasta(multiome, fasta(tmp_path / "peaks.fa", of_peaks(multiome, genome)))
    write_prepared(found, tmp_path / "p.h5")
    again = read_prepared(tmp_path / "p.h5")
    np.testing.assert_array_equal(again.peak_dna, found.peak_dna)
    assert again.digest == found.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; wanted a FASTA of the peaks"),
        ("ACGT\n", "line 1: wanted a FASTA, which begins with >"),
        (">chr99:1-5\nACGT\n", "has none of the peaks among its 1 sequences"),
    ],
)
def test_what_is_no_fasta_of_the_peaks(tmp_path, multiome, text, message):
    (tmp_path / "p.fa").write_text(text)
    with pytest.raises(DatasetError, match=message):
        with_peak_fasta(multiome, tmp_path / "p.fa")


def test_two_sequences_of_one_peak(tmp_path, multiome):
    name = multiome.peaks.index[0]
    (tmp_path / "p.fa").write_text(f">{name}\nA\n>{name.replace(':', '-')}\nC\n")
    with pytest.raises(DatasetError, match=f"has two sequences of {name}"):
        with_peak_fasta(multiome, tmp_path / "p.fa")


def test_genomes_that_do_not_fit(tmp_path, multiome, genome):
    short = {name: text[:100] for name, text in genome.items()}
    with pytest.raises(RegionError, match=r"reaches over the end of chr1 in .*\(100\)"):
        with_genome_fasta(multiome, fasta(tmp_path / "short.fa", short))
    with pytest.raises(DatasetError, match="has none of the chromosomes of the peaks; it has other"):
        with_genome_fasta(multiome, fasta(tmp_path / "other.fa", {"other": "ACGT" * 100}))
    (tmp_path / "text.fa").write_text("nothing")
    with pytest.raises(DatasetError, match="is not a FASTA"):
        with_genome_fasta(multiome, tmp_path / "text.fa")
    with pytest.raises(DatasetError, match="There is no file"):
        with_genome_fasta(multiome, tmp_path / "gone.fa")


def test_a_genome_packed_with_gzip_is_refused_with_the_way_out(tmp_path, multiome, genome):
    path = fasta(tmp_path / "genome.fa", genome)
    packed = tmp_path / "genome.fa.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DatasetError, match="cannot be read as a FASTA") as caught:
        with_genome_fasta(multiome, packed)
    assert "bgzip" in caught.value.hint
