"""Names and places of genes and peaks beside the pairs that are made of them."""

from __future__ import annotations

import numpy as np

from bi2scope.data.attention import Ints
from bi2scope.data.exchange.columns import Column, coded
from bi2scope.data.regions import distance_to_tss, tss
from bi2scope.data.store.reader import StoreReader


class Places:
    """The columns of a store's genes and peaks, their texts as codes.

    Parameters
    ----------
    reader
        An open store.
    """

    def __init__(self, reader: StoreReader) -> None:
        genes, peaks = reader.genes, reader.peaks
        texts = {"gene_id": genes.index, "gene_name": genes["name"], "gene_chrom": genes["chrom"]}
        self._genes: dict[str, Column] = {name: coded(column) for name, column in texts.items()}
        self._genes |= {"gene_tss": tss(genes), "gene_strand": coded(genes["strand"])}
        self._peaks: dict[str, Column] = {
            "peak": coded(peaks.index),
            "peak_chrom": coded(peaks["chrom"]),
            "peak_start": peaks["start"].to_numpy(np.int64),
            "peak_end": peaks["end"].to_numpy(np.int64),
        }

    def columns(self, gene: Ints, peak: Ints) -> dict[str, Column]:
        """Columns ``gene_id`` to ``distance_to_tss`` of pairs, from positions of genes and peaks of one length."""
        found = {name: column[gene] for name, column in self._genes.items()}
        found |= {name: column[peak] for name, column in self._peaks.items()}
        found["distance_to_tss"] = distance_to_tss(
            found["gene_tss"], found["gene_strand"], found["peak_start"], found["peak_end"]
        )
        return found
