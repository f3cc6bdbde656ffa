"""Answers about how much the cells express of a gene."""

from __future__ import annotations

from functools import partial

import numpy as np

from bi2scope.data.exchange.columns import Lazy, narrow
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.exports import whole_table
from bi2scope.server.tabular import Answer, TableBody


def gene_counts(catalogue: Catalogue, gene: str) -> Answer:
    """RNA counts of one gene in every cell, in the order of the data set; of a shared symbol the first gene's.

    Raises
    ------
    NotFoundError
        If there is no such gene.
    """
    position = int(catalogue.gene_positions(gene)[0])
    counts = catalogue.reader.across.counts_of_gene(position)
    name, n_expressing = str(catalogue.gene_name[position]), int(np.count_nonzero(counts))
    fields = {"gene_id": str(catalogue.gene_id[position]), "gene_name": name, "n_cells_expressing": n_expressing}
    columns = Lazy.of(catalogue.places.cells) | Lazy({"count": partial(narrow, counts)})
    comments = [f"gene: {name} ({fields['gene_id']})", f"cells: {len(counts)}, with a count: {n_expressing}"]
    return Answer(
        lambda: TableBody(fields, columns, "cells"),
        lambda: whole_table(catalogue.reader, "counts", comments, columns),
        ("bi2scope", "counts", name),
    )
