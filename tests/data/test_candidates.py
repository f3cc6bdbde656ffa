import numpy as np
import pandas as pd
import pytest
from multiomes import random_multiome

from bi2scope.data.candidates import Window, candidates_text, parse_distance
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.regions import distance_to_tss, tss

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
    """TSS 1000 on + and 2000 on -; middles 1500, 500 from both, and 1501, a base nearer to the second."""
    peaks = pd.DataFrame({"chrom": "chr1", "start": [1400, 1401], "end": [1601, 1601]})
    for limit, wanted in ((500, [[True, False], [True, True]]), (499, [[False, False], [False, True]])):
        window = Window.of(GENES, peaks, limit)
        assert window.near([[0], [1]], [[0, 1]]).tolist() == wanted


def test_near_is_a_distance_to_the_tss_up_to_the_limit() -> None:
    multiome = random_multiome(3)
    genes, peaks = multiome.genes, multiome.peaks
    gene, peak = np.indices((multiome.n_genes, multiome.n_peaks))
    distance = distance_to_tss(
        tss(genes)[gene],
        genes["strand"].to_numpy()[gene],
        peaks["start"].to_numpy()[peak],
        peaks["end"].to_numpy()[peak],
    )
    for limit in (1, 700_000, 10**30):
        near = Window.of(genes, peaks, limit).near(gene, peak)
        assert near.tolist() == (abs(distance.astype(object)) <= limit).tolist()
    assert Window.of(genes, peaks, None) is None


def test_the_rule_in_words() -> None:
    assert candidates_text(500_000) == "peaks within 500,000 bp of the TSS"
    assert candidates_text(None) == "all peaks of the chromosome"
