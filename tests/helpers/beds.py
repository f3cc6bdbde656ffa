"""BED files from hell: odd ones that are whole, and ones that cannot be read."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator

GOOD = "chr1\t10\t20\ta\t5\t+\nchr2\t30\t45\tb\t7\t-\n"
ROWS = [["chr1", 10, 20, 5.0], ["chr2", 30, 45, 7.0]]
Case = tuple[str, bytes, bool]
"""What is wrong, the file, and whether it must be read (as ROWS) rather than refused."""


def odd_but_whole() -> Iterator[Case]:
    for name, end in (("CRLF", "\r\n"), ("CR", "\r"), ("mixed", "\n\r\n\r\n")):
        yield f"{name} ends", GOOD.replace("\n", end).encode(), True
    yield "no last end", GOOD.rstrip("\n").encode(), True
    yield "byte order mark", GOOD.encode("utf-8-sig"), True
    for line in (
        "track name=x",
        'track type=bedGraph description="a b"',
        "browser position chr1:1-2",
        "#chrom\tstart",
        "",
        " ",
    ):
        yield f"line {line!r} first", f"{line}\n{GOOD}".encode(), True
        yield f"line {line!r} between", GOOD.replace("\n", f"\n{line}\n", 1).encode(), True
    yield "blanks for tabs", GOOD.replace("\t", " ").encode(), True
    yield "many blanks", GOOD.replace("\t", "   ").encode(), True
    yield "blanks around numbers", GOOD.replace("\t10\t", "\t10 \t").encode(), True
    yield "blanks around names", GOOD.replace("chr1\t", " chr1 \t").encode(), True
    yield "leading zeros", GOOD.replace("\t10\t", "\t0010\t").encode(), True
    yield "scores as floats", GOOD.replace("\t5\t", "\t5.0e0\t").encode(), True
    yield "packed", gzip.compress(GOOD.encode()), True
    yield "packed in two members", gzip.compress(GOOD[:21].encode()) + gzip.compress(GOOD[21:].encode()), True
    yield "further columns of one line", GOOD.replace("+\n", "+\t1\t2\n").encode(), True
    yield "names in other letters", GOOD.replace("\ta\t", "\tпик-峰\t").encode(), True


def numbers() -> Iterator[Case]:
    bad = (
        "-5",
        "+5",
        "1.5",
        "5.0",
        "1e3",
        "ten",
        "",
        ".",
        "NaN",
        "inf",
        "0x1F",
        "1,000",
        "1_000",
        "9" * 13,
        "9" * 400,
        "٣",
        "5;6",
    )
    for (at, column), text in itertools.product(enumerate(("start", "end"), start=1), bad):
        fields = ["chr1", "10", "20", "a", "5"]
        fields[at] = text
        yield f"{column} {text[:15]!r}", ("chr9\t1\t2\tx\t1\n" + "\t".join(fields) + "\n").encode(), False
    for text in ("high", "", "nan", "inf", "-inf", "1e999", "1,5", "5 5", "0x5", "--5"):
        yield f"score {text!r}", f"chr1\t10\t20\ta\t{text}\nchr1\t30\t40\tb\t3\n".encode(), False
    for start, end in ((20, 10), (10, 10), (0, 0)):
        yield f"from {start} to {end}", f"chr1\t{start}\t{end}\ta\t5\n".encode(), False
    for text in ("x", "-2", "1.5", ""):
        line = f"chr1\t10\t20\ta\t0\t.\t5\t-1\t-1\t{text}\n"
        yield f"summit {text!r}", line.encode(), False


def bytes_and_lines() -> Iterator[Case]:
    for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield codec, GOOD.encode(codec), False
    yield "latin-1 beyond ASCII", GOOD.replace("\ta\t", "\té\t").encode("latin-1"), False
    yield "a zero byte", GOOD.replace("a", "\0", 1).encode(), False
    for name, start in (
        ("zip", b"PK\x03\x04"),
        ("bigBed", b"\xeb\xf2\x89\x87"),
        ("bzip2", b"BZh91AY&SY\xff\xfe"),
        ("xz", b"\xfd7zXZ\0"),
    ):
        yield name, start + bytes(50), False
    whole = gzip.compress(GOOD.encode() * 200)
    for share in (0.1, 0.5, 0.9, 0.99):
        yield f"packed and cut at {share}", whole[: int(len(whole) * share)], False
    for at in (3, len(whole) // 2, len(whole) - 6):
        yield f"packed, byte {at} changed", whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], False
    yield "packed and followed by waste", whole + b"waste and more", False
    yield "packed twice", gzip.compress(gzip.compress(GOOD.encode())), False
    for name, text in (
        ("empty", ""), ("blank", "\n \n\t\n"), ("comments alone", "#a\n#b\n"), ("two columns", "chr1\t5\n"),
        ("a short line", GOOD + "chr3\t5\n"), ("a name alone", "chr1\n"), ("commas", "chr1,10,20\n"),
        ("no chromosome", "\t10\t20\n"), ("a header", "chrom\tstart\tend\n" + GOOD), ("JSON", '{"chrom": "chr1"}\n'),
        ("HTML", "<!doctype html>\n<html><body>Not found</body></html>\n"),
        ("GFF", "chr1\tsrc\tgene\t10\t20\t.\t+\t.\tID=1\n"),
        ("VCF", "chr1\t10\trs1\tA\tC\t50\tPASS\t.\n"), ("FASTA", ">chr1\nACGT\n"),
        ("columns swapped", "10\t20\tchr1\n"),
    ):  # fmt: skip
        yield name, text.encode(), False


def lines() -> Iterator[Case]:
    """Lines of ten million letters, headers in the middle, coordinates at the edge of what counts."""
    yield "a name of ten million letters", GOOD.replace("\ta\t", f"\t{'x' * 10_000_000}\t").encode(), True
    yield "a comment of ten million letters", f"#{'x' * 10_000_000}\n{GOOD}".encode(), True
    yield "ten million letters without a tab", b"x" * 10_000_000, False
    yield "a number of a million digits", f"chr1\t{'1' * 1_000_000}\t5\n".encode(), False
    yield "ten thousand columns", ("chr1\t10\t20" + "\tx" * 10_000 + "\n").encode(), False
    yield "a header in the middle", GOOD.replace("\nchr2", "\nchrom\tstart\tend\tname\tscore\nchr2").encode(), False
    for end in (2**63, 2**64):
        yield f"an end of {end}", f"chr1\t10\t{end}\ta\t5\n".encode(), False


CASES = [*odd_but_whole(), *numbers(), *bytes_and_lines(), *lines()]
