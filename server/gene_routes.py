"""Addresses of genes and peaks: names to choose from, and links beyond a single cell's table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from bi2scope.server import across, gene_counts, gene_peaks, maps, names, region, strongest, type_heatmap, why
from bi2scope.server.answers import Served, json
from bi2scope.server.params import (
    AcrossQuery,
    MapQuery,
    NamesQuery,
    RegionQuery,
    StrongestLinksQuery,
    StrongestQuery,
    TableQuery,
    TypeHeatmapQuery,
    WhyQuery,
)
from bi2scope.server.tabular import PAIRS, Answer, table_routes
from bi2scope.server.tf_routes import shelf_of
from bi2scope.server.validators import Tagged
from bi2scope.server.wire_genes import (
    GeneCounts,
    GeneLinks,
    GeneNames,
    GenePeaks,
    PeakLinks,
    PeakNames,
    Region,
    RegionLinks,
    RegionPairs,
    RegulatoryMap,
    Why,
)
from bi2scope.server.wire_maps import TypeHeatmap

router = APIRouter()


@table_routes(router, "/genes", GeneNames)
def get_genes(catalogue: Tagged, query: Annotated[NamesQuery, Query()], most: int | None) -> Answer:
    """Genes whose symbol or id begins as asked, or that overlap a place."""
    return names.gene_names(catalogue, query)


@table_routes(router, "/genes/{gene:path}/counts", GeneCounts)
def get_gene_counts(catalogue: Tagged, gene: str, query: Annotated[TableQuery, Query()], most: int | None) -> Answer:
    """RNA counts of one gene in every cell."""
    return gene_counts.gene_counts(catalogue, gene)


@table_routes(router, "/peaks", PeakNames)
def get_peaks(catalogue: Tagged, query: Annotated[NamesQuery, Query()], most: int | None) -> Answer:
    """Peaks whose name begins as asked, or that overlap a place."""
    return names.peak_names(catalogue, query)


@table_routes(router, "/celltypes/{cell_type:path}/map", RegulatoryMap, PAIRS)
def get_map(catalogue: Tagged, cell_type: str, query: Annotated[MapQuery, Query()], most: int | None) -> Answer:
    """Regulatory map of one cell type: pairs of gene and peak with the number of cells that link them."""
    return maps.regulatory_map(catalogue, cell_type, query, most)


@table_routes(router, "/celltypes/{cell_type:path}/heatmap", TypeHeatmap)
def get_type_heatmap(
    catalogue: Tagged, cell_type: str, query: Annotated[TypeHeatmapQuery, Query()], most: int | None
) -> Answer:
    """The same map over the genes and peaks of one cell, or a window of them, binned as the heatmap of the cell is."""
    return type_heatmap.type_heatmap(catalogue, cell_type, query)


@table_routes(router, "/celltypes/{cell_type:path}/genes/{gene:path}/links", GeneLinks, PAIRS)
def get_gene_links(
    catalogue: Tagged, cell_type: str, gene: str, query: Annotated[AcrossQuery, Query()], most: int | None
) -> Answer:
    """Links of one gene in every cell of a type, by cell and then by rank."""
    return across.gene_links(catalogue, cell_type, gene, query, most)


@table_routes(router, "/celltypes/{cell_type:path}/peaks/{peak:path}/links", PeakLinks, PAIRS)
def get_peak_links(
    catalogue: Tagged, cell_type: str, peak: str, query: Annotated[AcrossQuery, Query()], most: int | None
) -> Answer:
    """Links to one peak in every cell of a type, by cell and then by gene."""
    return across.peak_links(catalogue, cell_type, peak, query, most)


@router.get("/cells/{cell_id:path}/why", response_model=Why)
def get_why(catalogue: Tagged, cell_id: str, query: Annotated[WhyQuery, Query()]) -> Response:
    """Why a gene attends to a peak in one cell: the terms of the logit, and the peaks beside it in the row."""
    return json(why.why(catalogue, cell_id, query))


@table_routes(router, "/celltypes/{cell_type:path}/genes/{gene:path}/peaks", GenePeaks, PAIRS)
def get_gene_peaks(
    catalogue: Tagged, cell_type: str, gene: str, query: Annotated[AcrossQuery, Query()], most: int | None
) -> Answer:
    """Peaks that a gene is linked to in the cells of a type, those linked in most cells first."""
    return gene_peaks.gene_peaks(catalogue, cell_type, gene, query, most)


@table_routes(router, "/celltypes/{cell_type:path}/strongest", RegionPairs, PAIRS)
def get_region_pairs(
    catalogue: Tagged, cell_type: str, query: Annotated[StrongestQuery, Query()], most: int | None
) -> Answer:
    """Pairs of a cell type's regulatory map with an end in a region, the strongest first."""
    return strongest.region_pairs(catalogue, cell_type, query)


@table_routes(router, "/cells/{cell_id:path}/strongest", RegionLinks, PAIRS)
def get_region_links(
    catalogue: Tagged, cell_id: str, query: Annotated[StrongestLinksQuery, Query()], most: int | None
) -> Answer:
    """Links of one cell with an end in a region, the strongest first."""
    return strongest.region_links(catalogue, cell_id, query)


@router.get("/region", response_model=Region)
def get_region(request: Request, catalogue: Served, query: Annotated[RegionQuery, Query()]) -> Response:
    """Genes and peaks of a region, and what cell types, a cell and tracks have there."""
    return json(region.region(catalogue, shelf_of(request), query))
