"""Gene annotations: the three formats, what is wrong with them, and which gene is which."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bi2scope.data.annotation import placed_by, read_annotation, spelled_as
from bi2scope.data.errors import DatasetError, RegionError
from bi2scope.data.reading import read_multiome
from bi2scope.data.source import Source

GENCODE = """##description: evidence-based annotation
chr7\tHAVANA\tgene\t5001\t9000\t.\t-\t.\tgene_id "ENSG00000000002.5"; gene_type "other"; gene_name "BETA"; level 2
chr7\tHAVANA\ttranscript\t5001\t8000\t.\t-\t.\tgene_id "ENSG00000000002.5"; transcript_id "T1"; gene_name "BETA";
chr1\tHAVANA\tgene\t101\t200\t.\t+\t.\tgene_id "ENSG00000000001.12"; gene_type "lncRNA"; gene_name "AL627309.1";
chrX\tHAVANA\tgene\t11\t20\t.\t+\t.\tgene_id "ENSG00000000003.1_PAR_Y"; gene_name "PAR";
"""
UCSC = """chr1\trefGene\ttranscript\t150\t200\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_1";
chr1\trefGene\texon\t150\t170\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_1"; exon_number "1";
chr1\trefGene\ttranscript\t101\t180\t.\t+\t.\tgene_id "ALPHA"; transcript_id "NM_2";
chr2\trefGene\ttranscript\t11\t30\t.\t-\t.\tgene_id "BETA"; transcript_id "NM_3";
"""
ENSEMBL_GFF = """##gff-version 3
1\tensembl\tchromosome\t1\t249250621\t.\t.\t.\tID=chromosome:1
1\tensembl_havana\tgene\t101\t200\t.\t+\t.\tID=gene:ENSG00000000001;Name=ALPHA;biotype=protein_coding;gene_id=ENSG00000000001;version=7
1\tensembl_havana\tmRNA\t101\t150\t.\t+\t.\tID=transcript:ENST1;Parent=gene:ENSG00000000001;Name=ALPHA-201
MT\tinsdc\tncRNA_gene\t5\t9\t.\t-\t.\tID=gene:ENSG00000000002;description=tRNA%2C one;gene_id=ENSG00000000002
"""


def written(tmp_path: Path, text: str | bytes, name: str = "genes") -> Path:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / name


def rows(path: Path) -> list[tuple]:
    return list(read_annotation(path).genes.itertuples(index=False, name=None))


def test_gencode_gtf(tmp_path):
    assert rows(written(tmp_path, GENCODE)) == [
        ("ENSG00000000001", "AL627309.1", "chr1", 100, 200, "+"),
        ("ENSG00000000002", "BETA", "chr7", 5000, 9000, "-"),
        ("ENSG00000000003_PAR_Y", "PAR", "chrX", 10, 20, "+"),
    ]


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda raw: raw.replace(b"\n", b"\r\n"), lambda raw: b"\xef\xbb\xbf" + raw]
)
def test_packed_or_from_windows(tmp_path, pack):
    assert rows(written(tmp_path, pack(GENCODE.encode()))) == rows(written(tmp_path, GENCODE, "plain"))


def test_genes_are_put_together_from_transcripts(tmp_path):
    assert rows(written(tmp_path, UCSC)) == [
        ("ALPHA", "ALPHA", "chr1", 100, 200, "+"),
        ("BETA", "BETA", "chr2", 10, 30, "-"),
    ]


def test_gff3(tmp_path):
    assert rows(written(tmp_path, ENSEMBL_GFF)) == [
        ("ENSG00000000001", "ALPHA", "1", 100, 200, "+"),
        ("ENSG00000000002", "ENSG00000000002", "MT", 4, 9, "-"),
    ]


def test_bed(tmp_path):
    bed = "track name=x\nchr2\t10\t30\tBETA\t0\t-\nchr1\t100\t200\tENSG00000000001.4\nchr1\t90\t150\tENSG00000000001\n"
    assert rows(written(tmp_path, bed)) == [
        ("ENSG00000000001", "ENSG00000000001.4", "chr1", 90, 200, "."),
        ("BETA", "BETA", "chr2", 10, 30, "-"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no genes"),
        ("# only a comment\n", "holds no genes"),
        ('chr1\tx\texon\t1\t5\t.\t+\t.\ttranscript_id "T";\n', "holds no genes"),
        ("chr1\t5\t9\n", "line 1: found 'chr1.t5.t9', which is no line of a GTF, GFF or BED file"),
        ("gene_name,chrom\nA,chr1\n", "line 1: found 'gene_name,chrom'"),
        (GENCODE + 'chr1\tHAVANA\tgene\tone\t200\t.\t+\t.\tgene_id "G";\n', "line 6: found"),
        ('chr1\tx\tgene\t9\t5\t.\t+\t.\tgene_id "G";\n', "gene G .*8-5.* does not start below its end"),
        ('chr1\tx\tgene\t1\t5\t.\t+\t.\tnote "nothing";\n', "line 1: the gene has no gene_id or ID"),
    ],
)
def test_what_is_no_annotation(tmp_path, text, message):
    with pytest.raises(RegionError, match=message):
        read_annotation(written(tmp_path, text))


def test_a_file_that_is_missing_or_no_text(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no file .*gone\.gtf; wanted a gene annotation"):
        read_annotation(tmp_path / "gone.gtf")
    with pytest.raises(DatasetError, match="is not text in UTF-8"):
        read_annotation(written(tmp_path, b"\xff\xfe\x00"))
    with pytest.raises(DatasetError, match="is a damaged gzip file"):
        read_annotation(written(tmp_path, gzip.compress(GENCODE.encode() * 50)[:-20]))


def test_chromosomes_are_spelled_as_the_peaks_are(tmp_path):
    annotation = read_annotation(written(tmp_path, ENSEMBL_GFF))
    renamed, changed = spelled_as(annotation, {"chr1", "chrM", "chr2"})
    assert changed
    assert list(renamed.genes["chrom"]) == ["chr1", "chrM"]
    assert spelled_as(annotation, {"1", "MT"}) == (annotation, False)


def test_genes_are_found_by_id_then_by_symbol(tmp_path):
    annotation = read_annotation(written(tmp_path, GENCODE))
    var = pd.DataFrame(
        {"gene_ids": ["ENSG00000000002.9", "x", "y", "z"], "interval": "chr9:1-2"},
        index=["OLD", "AL627309.1", "AL627309.5", "GRCh38_ENSG00000000001.2"],
    )
    placed, note = placed_by(annotation, var, "rna.h5ad")
    assert list(placed["chrom"]) == ["chr7", "chr1", "", "chr1"]
    assert list(placed["strand"]) == ["-", "+", "", "+"]
    np.testing.assert_array_equal(placed["chromStart"], [5000, 100, np.nan, 100])
    assert "interval" not in placed
    assert note == f"3 of 4 genes are placed by {annotation.source} (2 by id, 1 by symbol)."


def test_of_one_symbol_on_two_chromosomes_the_first_counts(tmp_path):
    bed = "chr1_KI270706v1_random\t1\t9\tA\nchr10\t5\t9\tA\nchr2\t7\t9\tA\n"
    placed, _ = placed_by(read_annotation(written(tmp_path, bed)), pd.DataFrame(index=["A"]), "rna")
    assert (placed["chrom"].iloc[0], placed["chromStart"].iloc[0]) == ("chr2", 7)


def test_genes_of_another_genome(tmp_path):
    annotation = read_annotation(written(tmp_path, GENCODE))
    with pytest.raises(
        RegionError,
        match=r"None of the genes of rna is in .*: it has 'ENSG00000000001' \(AL627309.1\), the counts have 'Actb'",
    ):
        placed_by(annotation, pd.DataFrame(index=["Actb"]), "rna")


SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real data is not beside the repository")
def test_real_symbols_are_placed_by_real_genes(tmp_path):
    """The cell-line mix without its coordinates, placed by Ensembl's genes written as a GTF."""
    genes = pd.read_csv(SHARED / "genome" / "hg38_ensembl93_genes.tsv.gz", sep="\t")
    lines = [
        f"{g.chrom}\tensembl\tgene\t{g.start}\t{g.end}\t.\t{g.strand}\t."
        f'\tgene_id "{g.gene_id}"; gene_name "{g.gene_name}";'
        for g in genes.itertuples()
    ]
    gtf = written(tmp_path, gzip.compress("\n".join(lines).encode(), 1), "genes.gtf.gz")
    folder = SHARED / "snare_cellline_mix"
    pair = Source(rna=folder / "small_4chrom_rna.h5ad", atac=folder / "small_4chrom_atac.h5ad")
    ours = read_multiome(Source(rna=pair.rna, atac=pair.atac, genes=gtf))
    theirs = read_multiome(pair)
    shared = ours.genes.index.intersection(theirs.genes.index)
    assert len(shared) > 0.99 * theirs.n_genes
    one_gene = (ours.genes.loc[shared, "end"] == theirs.genes.loc[shared, "end"]).to_numpy()
    assert one_gene.mean() > 0.99
    assert (ours.genes.loc[shared, "strand"] == theirs.genes.loc[shared, "strand"])[one_gene].all()
    assert any("by symbol" in note for note in ours.notes)
