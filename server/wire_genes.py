"""Bodies about genes and peaks: names to choose from, and links beyond a single cell's table.

The address of each (``.csv`` after the path gives the same rows as CSV)::

    GET  /api/v1/genes?query=&limit=                           GeneNames
    GET  /api/v1/peaks?query=&limit=                           PeakNames
"""

from __future__ import annotations

from pydantic import Field

from bi2scope.server.wire import Wire


class GeneColumns(Wire):
    """Genes, the best match first."""

    gene_id: list[str]
    gene_name: list[str]
    gene_chrom: list[str]
    gene_start: list[int]
    gene_end: list[int]
    gene_tss: list[int]
    gene_strand: list[str]


class GeneNames(Wire):
    """Genes whose symbol or id begins as asked, or that overlap a place."""

    query: str | None
    n_found: int = Field(description="Genes that match, whether or not they are all returned")
    limited: bool = Field(description="Fewer are returned than match, because of `limit`")
    genes: GeneColumns


class PeakColumns(Wire):
    """Peaks, the best match first."""

    peak: list[str]
    peak_chrom: list[str]
    peak_start: list[int]
    peak_end: list[int]


class PeakNames(Wire):
    """Peaks whose name begins as asked, or that overlap a place."""

    query: str | None
    n_found: int = Field(description="Peaks that match, whether or not they are all returned")
    limited: bool = Field(description="Fewer are returned than match, because of `limit`")
    peaks: PeakColumns
