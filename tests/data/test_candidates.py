import numpy as np
import pandas as pd
import pytest
from multiomes import random_multiome

from bi2scope.data.candidates import Window, are_candidates, candidates_text, parse_distance
from bi2scope.data.errors import ConfigurationError

GENES = pd.DataFrame({"chrom": "chr1", "start": [1000, 1000], "end": [2001, 2001], "strand": ["+", "-"]})


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("500kb", 500_000), ("500000", 500_000), ("1Mb", 1_000_000), ("2.5Mb", 2_500_000), ("1", 1),
        (" 10 kb ", 10_000), ("7 BP", 7), ("0.001kb", 1),
    ],
)  # fmt: skip
def test_distances_are_read(text: str, bases: int) -> None:
    assert parse_distance(text) == bases


@pytest.mark.parametrize(
    "text", ["", "kb", "0", "-5", "0.5", "0.0001kb", "1e5", "500 k", "5Gb", "1.kb", "nan", "٣kb", "1,000"]
)
def test_what_is_no_distance_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="The distance is") as raised:
        parse_distance(text)
    assert repr(text) in raised.value.message


def test_the_middle_of_the_peak_counts_from_the_tss_of_the_strand() -> None:
    """TSS 1000 on +, 2000 on -; the peak's middle is 1500: 500 from both, and 501 for one base more."""
    peaks = pd.DataFrame({"chrom": "chr1", "start": [1400, 1400], "end": [1600, 1600]})
    assert are_candidates(GENES, peaks, 500).tolist() == [True, True]
    assert are_candidates(GENES, peaks, 499).tolist() == [False, False]
    assert are_candidates(GENES, peaks + {"chrom": "", "start": 1, "end": 1}, 500).tolist() == [False, True]


def test_a_peak_of_another_chromosome_is_never_one() -> None:
    peaks = pd.DataFrame({"chrom": ["chr1", "chr2"], "start": [1000, 1000], "end": [1002, 1002]})
    assert are_candidates(GENES.iloc[[0, 0]], peaks, None).tolist() == [True, False]
    assert are_candidates(GENES.iloc[[0, 0]], peaks, 10**30).tolist() == [True, False]


def test_the_window_says_the_same_of_every_pair() -> None:
    multiome = random_multiome(3)
    window = Window.of(multiome.genes, multiome.peaks, 2_000_000)
    gene, peak = (part.ravel() for part in np.indices((multiome.n_genes, multiome.n_peaks)))
    near = np.abs(window.peak_middle[peak] - window.gene_tss[gene]) <= window.max_distance
    wanted = are_candidates(multiome.genes.iloc[gene], multiome.peaks.iloc[peak], 2_000_000)
    same = multiome.gene_chromosome[gene] == multiome.peak_chromosome[peak]
    assert (near & same).tolist() == wanted.tolist()
    assert 0 < wanted.sum() < same.sum()
    assert Window.of(multiome.genes, multiome.peaks, None) is None


def test_the_rule_in_words() -> None:
    assert candidates_text(500_000) == "peaks within 500,000 bp of the TSS"
    assert candidates_text(None) == "all peaks of the chromosome"
