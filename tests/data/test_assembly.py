"""Which assembly intervals lie on."""

from pathlib import Path

import pandas as pd
import pytest

from bi2scope.data.assembly import (
    ASSEMBLIES,
    check_one_assembly,
    chromosome_lengths,
    fitting_assemblies,
    guessed_assembly,
)
from bi2scope.data.errors import RegionError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def reaching(assembly, short=50_000, prefix="chr"):
    """Intervals that end a little before each chromosome does."""
    lengths = chromosome_lengths(assembly)
    ends = [length - short for length in lengths.values()]
    table = pd.DataFrame(
        {"chrom": [prefix + name for name in lengths], "start": [end - 9 for end in ends], "end": ends}
    )
    return table.set_index("chrom", drop=False)


@pytest.mark.parametrize("assembly", ASSEMBLIES)
@pytest.mark.parametrize("prefix", ["chr", ""])
def test_intervals_over_the_whole_genome_tell(assembly, prefix):
    table = reaching(assembly, prefix=prefix)
    assert fitting_assemblies(table) == (assembly,)
    assert guessed_assembly(table, table) == assembly


def test_widened_peaks_and_scaffolds_do_not_mislead():
    table = reaching("mm10", short=-500)
    scaffolds = pd.DataFrame({"chrom": ["chr1_GL456211_random", "chrM", "JH584304.1"], "start": 1, "end": 10**9})
    assert fitting_assemblies(pd.concat([table, scaffolds])) == ("mm10",)


def test_too_little_to_tell():
    table = pd.DataFrame({"chrom": ["chr1", "chr2"], "start": [1, 1], "end": [10**6, 10**6]})
    assert guessed_assembly(table, table) == "cannot tell (hg38 and hg19 and mm10 and mm39 fit)"


@pytest.mark.parametrize("chrom", ["chr1", "scaffold_1"])
def test_another_genome(chrom):
    table = pd.DataFrame({"chrom": [chrom] * 3, "start": [1] * 3, "end": [4 * 10**8] * 3})
    assert guessed_assembly(table, table) == "cannot tell (none of hg38, hg19, mm10, mm39 fits)"


@pytest.mark.parametrize(("genes", "peaks"), [("hg38", "hg19"), ("hg19", "hg38"), ("mm39", "mm10"), ("hg38", "mm10")])
def test_two_assemblies_are_refused(genes, peaks):
    with pytest.raises(RegionError, match=f"The genes of rna lie on {genes}, the peaks of atac on {peaks}") as caught:
        check_one_assembly(reaching(genes), reaching(peaks), "rna", "atac")
    assert "--genes" in caught.value.hint


def test_one_assembly_and_unknown_genomes_pass():
    unknown = pd.DataFrame({"chrom": ["chr1"], "start": [1], "end": [4 * 10**8]})
    for genes, peaks in (("mm10", "mm10"), ("hg19", "hg19")):
        check_one_assembly(reaching(genes), reaching(peaks, short=-900), "rna", "atac")
    check_one_assembly(unknown, reaching("hg38"), "rna", "atac")
    check_one_assembly(reaching("hg38"), unknown, "rna", "atac")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real data is not beside the repository")
@pytest.mark.parametrize(("name", "assembly"), [("hg38_ensembl93_genes", "hg38"), ("mm10_genes", "mm10")])
def test_real_genes(name, assembly):
    genes = pd.read_csv(SHARED / "genome" / f"{name}.tsv.gz", sep="\t")
    assert fitting_assemblies(genes) == (assembly,)
