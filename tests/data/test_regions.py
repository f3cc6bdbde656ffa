import gzip
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.data.errors import RegionError
from bi2scope.data.regions import (
    check_intervals,
    distance_to_tss,
    genome_order,
    natural_chromosome_order,
    parse_peak_name,
    peak_name,
    read_bed,
    tss,
)

CHROMS = st.sampled_from(["chr1", "1", "chrX", "chr1_KI270706v1_random", "GL000194.1", "HLA-A", "chrCHR_HG76_PATCH"])


# ---------------------------------------------------------------- chromosomes


def test_chromosomes_are_numbered_then_x_y_m_then_scaffolds():
    names = ["chrM", "chr10", "chrUn_KI270742v1", "chrY", "chr2", "chrX", "chr1_KI270706v1_random", "chr1", "chr22"]
    assert natural_chromosome_order(names) == [
        *("chr1", "chr2", "chr10", "chr22", "chrX", "chrY", "chrM"),
        *("chr1_KI270706v1_random", "chrUn_KI270742v1"),
    ]


def test_chromosomes_without_chr_and_with_arms():
    assert natural_chromosome_order(["MT", "X", "10", "2", "GL000194.1"]) == ["2", "10", "X", "MT", "GL000194.1"]
    assert natural_chromosome_order(["chrX", "chr3R", "chr4", "chr3L", "chr2R"]) == [
        *("chr2R", "chr3L", "chr3R", "chr4", "chrX"),
    ]


@given(st.lists(CHROMS | st.text(min_size=1, max_size=6)), st.randoms())
def test_the_order_does_not_depend_on_the_order_given(names, random):
    shuffled = names.copy()
    random.shuffle(shuffled)
    assert natural_chromosome_order(names) == natural_chromosome_order(shuffled)
    assert set(natural_chromosome_order(names)) == set(names)


# ---------------------------------------------------------------- peaks


@given(CHROMS, st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from([":-", "--", "__"]))
def test_three_spellings_are_read_and_one_is_written(chrom, start, length, separators):
    name = f"{chrom}{separators[0]}{start}{separators[1]}{start + length}"
    assert parse_peak_name(name) == (chrom, start, start + length)
    assert parse_peak_name(peak_name(chrom, start, start + length)) == (chrom, start, start + length)


@pytest.mark.parametrize(
    "name", ["", "peak_7", "chr1:100_200", "chr1:1,000-2,000", "chr1:100-", "chr1:a-b", "chr1:-5-10 "]
)
def test_other_names_are_refused(name):
    with pytest.raises(RegionError, match="is not the name of a peak; wanted chr:start-end"):
        parse_peak_name(name)


def test_a_peak_must_start_below_its_end():
    with pytest.raises(RegionError, match="starts at 200 and ends at 200"):
        parse_peak_name("chr1:200-200")


@pytest.mark.parametrize(
    ("chrom", "start", "end", "fault"),
    [
        ("", 1, 2, "has no chromosome"),
        ("chr1", -1, 2, "starts below 0"),
        ("chr1", 7, 7, "does not start below its end"),
    ],
)
def test_intervals_are_checked_at_the_door(chrom, start, end, fault):
    table = pd.DataFrame({"chrom": ["chr1", chrom], "start": [1, start], "end": [5, end]}, index=["a", "b"])
    with pytest.raises(RegionError, match=f"pair.h5ad: peak b .* {fault} .1 of 2 such peaks") as caught:
        check_intervals(table, "peak", "pair.h5ad")
    assert "0-based" in caught.value.hint


def test_genome_order_sorts_by_chromosome_start_end_and_name():
    table = pd.DataFrame(
        {"chrom": ["chrX", "chr10", "chr2", "chr2", "chr2"], "start": [1, 1, 9, 5, 5], "end": [2, 2, 10, 8, 8]},
        index=["x", "ten", "late", "b", "a"],
    )
    assert list(table.index[genome_order(table)]) == ["a", "b", "late", "ten", "x"]


# ---------------------------------------------------------------- TSS


def test_tss_is_the_start_or_the_last_base():
    genes = pd.DataFrame({"start": [100, 100, 100], "end": [200, 200, 200], "strand": ["+", "-", "."]})
    assert tss(genes).tolist() == [100, 199, 100]


def test_upstream_is_negative_on_both_strands():
    distance = distance_to_tss([1000, 1000], ["+", "-"], [400, 400], [601, 601])
    assert distance.tolist() == [-500, 500]


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**5))
def test_the_two_strands_mirror_each_other(start_of_gene, start, length):
    plus, minus, unknown = distance_to_tss(start_of_gene, ["+", "-", "."], start, start + length)
    assert plus == -minus == unknown == start + length // 2 - start_of_gene


# ---------------------------------------------------------------- BED


def bed(text, name="a.bed"):
    return read_bed(io.BytesIO(text.encode()), name)


def test_three_columns_have_no_score():
    found = bed("chr1\t10\t20\nchr2\t5\t6\n")
    assert found.score_column == "none"
    assert found.intervals.to_dict("list") == {
        "chrom": ["chr1", "chr2"],
        "start": [10, 5],
        "end": [20, 6],
        "score": [1.0, 1.0],
    }
    assert found.intervals["start"].dtype == found.intervals["end"].dtype == np.int64


@pytest.mark.parametrize(
    ("name", "line", "column", "score"),
    [
        ("a.bed", "chr1\t1\t9\tname", "none", 1.0),
        ("a.bed", "chr1\t1\t9\tname\t7.5", "score", 7.5),
        ("a.bed", "chr1\t1\t9\tname\t7\t+", "score", 7.0),
        ("a.bed", "chr1\t1\t9\tname\t.\t+", "none", 1.0),
        ("a.bed", "chr1\t1\t9\tname\t7\t+\t1\t9\t0,0,255", "score", 7.0),
        ("a.bed", "chr1\t1\t9\tname\t7\t+\t1\t9\t0\t1\t8\t0", "score", 7.0),
        ("a.narrowPeak", "chr1\t1\t9\tname\t0\t.\t8.25\t3\t2\t4", "signalValue", 8.25),
        ("a.broadPeak.gz", "chr1\t1\t9\tname\t0\t.\t8.25\t3\t2", "signalValue", 8.25),
        ("a.bedGraph", "chr1\t1\t9\t-3.5", "value", -3.5),
    ],
)
def test_the_score_column_follows_the_format(name, line, column, score):
    found = bed(line + "\n", name)
    assert (found.score_column, found.intervals["score"].item()) == (column, score)


def test_headers_comments_blank_lines_and_windows_line_ends_are_passed_over():
    found = bed('\ufefftrack name="x"\r\nbrowser position chr1\r\n# made by\r\n\r\nchr1 1 2 a 3\r\n')
    assert found.intervals.to_numpy().tolist() == [["chr1", 1, 2, 3.0]]


def test_gzip_is_recognised_by_its_bytes(tmp_path):
    path = tmp_path / "peaks.bed"
    path.write_bytes(gzip.compress(b"chr1\t1\t2\n"))
    assert len(read_bed(path).intervals) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.bed holds no intervals"),
        ("# only\n\n", "a.bed holds no intervals"),
        ("chrom\tstart\tend\nchr1\t1\t2\n", r"a.bed, line 1, column 2 \(start\): found 'start'.* put a # before"),
        ("chr1\t1\t2\nchr1\t1\tten\n", r"a.bed, line 2, column 3 \(end\): found 'ten', wanted a whole number"),
        ("#h\nchr1\t1\t2\ta\thigh\n", r"a.bed, line 2, column 5 \(score\): found 'high', wanted a number"),
        ("chr1\t1\t2\ta\tinf\n", r"line 1, column 5 \(score\): found 'inf'"),
        ("chr1\t1.5\t2\n", r"line 1, column 2 \(start\): found '1.5'"),
        ("chr1\t-1\t2\n", r"line 1, column 2 \(start\): found '-1'"),
        ("chr1\t1\t2\nchr1\t5\n", r"a.bed, line 2 has 2 column\(s\); wanted at least chromosome, start and end"),
        ("chr1\t1\t2\nchr1\t9\t9\n", r"interval in line 2 \(chr1:9-9\) does not start below its end"),
        ("\t1\t2\n", "interval in line 1 .* has no chromosome"),
    ],
)
def test_a_bad_bed_is_refused_by_line_and_column(text, message):
    with pytest.raises(RegionError, match=message):
        bed(text)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a.bed is not a text file"),
        ("chr1\t1\t2\n".encode("utf-16"), "a.bed is not a text file"),
        (gzip.compress(b"chr1\t1\t2\n" * 99, mtime=0)[:-12], "a.bed is a damaged gzip file"),
        (b"\x1f\x8bnot gzip at all", "a.bed is a damaged gzip file"),
    ],
)
def test_bytes_that_are_no_text_are_refused(raw, message):
    with pytest.raises(RegionError, match=message):
        read_bed(io.BytesIO(raw), "a.bed")


def test_a_gzip_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr("bi2scope.data.regions.MAX_BED_BYTES", 1000)
    with pytest.raises(RegionError, match="is larger than"):
        read_bed(io.BytesIO(gzip.compress(b"chr1\t1\t2\n" * 1000)), "a.bed")


def test_a_missing_bed_is_named(tmp_path):
    with pytest.raises(RegionError, match=r"absent.bed cannot be read: No such file"):
        read_bed(tmp_path / "absent.bed")
