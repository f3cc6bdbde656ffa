"""Write the small store of format 1 that today's reader must read for good, and what is to be found in it.

Run once per released format; a file that is there is never written again:

    python scripts/golden_store.py tests/golden
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from bi2scope.data.store.across import PairLinks
    from bi2scope.data.store.reader import StoreReader

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))


def main(folder: Path) -> None:
    """Write ``store-format1.h5`` and ``store-format1.json``."""
    from stores import RandomModel, histograms_of_all_types, tiny_attributes, tiny_multiome, write_store

    from bi2scope.data.graph import cell_graph
    from bi2scope.data.store.cells_table import Embedding
    from bi2scope.data.store.writer import StoreWriter

    path = folder / "store-format1.h5"
    multiome = tiny_multiome(9, 40, 90, seed=11)
    models = [RandomModel.of(multiome, np.random.default_rng(seed), layers=2) for seed in (11, 12)]
    control = folder / "control.h5"
    write_store(control, multiome, models[1], tiny_attributes(n_layers=2, k_max=4, attention="uniform"))
    pooled = np.arange(36, dtype=np.float32).reshape(9, 4)
    quality = pd.DataFrame({"total_counts": np.arange(9)})
    attributes = tiny_attributes(name="golden", n_layers=2, k_max=4, metrics={"auroc": 0.75})
    with histograms_of_all_types(), StoreWriter(path, multiome, attributes) as writer:
        writer.write_embedding(Embedding(pooled[:, :2], "a grid", pooled, quality))
        writer.write_factors(models[0].factors())
        writer.write_control("uniform-attention", control)
        for cell in range(multiome.n_cells):
            writer.write_cell(models[0].attend(multiome, cell_graph(multiome, cell, cell), 4))
    control.unlink()
    path.with_suffix(".json").write_text(json.dumps(found_in(path), indent=1) + "\n", encoding="utf-8")


def found_in(path: Path) -> dict[str, object]:
    """What a reader says of a store: one cell in full, and sums of everything else."""
    from bi2scope.data.attention import Cut
    from bi2scope.data.store.reader import StoreReader

    with StoreReader.open(path) as reader:
        links = reader.attention_for(4, Cut()).links(Cut())
        pairs = reader.regulatory_map("B cell").pairs((0, len(reader.genes)))
        sums = {
            f"{name} {threshold} {top_k} {control or 'model'}": [
                float(getattr(reader.cumulative(name, Cut(threshold, top_k), 0, 0, control), key).sum())
                for key in ("links", "score", "weight", "n_open")
            ]
            for name in reader.cell_types
            for threshold, top_k in ((0.5, None), (0.77, 3), (0.999, 6))
            for control in (None, "uniform-attention")
        }
        return {
            "name": reader.attributes.name,
            "metrics": reader.attributes.metrics,
            "cells": reader.cells.reset_index().astype(str).to_dict("list"),
            "genes": reader.genes.index.tolist(),
            "peaks": reader.peaks.index.tolist(),
            "pooled": float(reader.pooled().sum()),
            "cell 4, kept": {
                key: getattr(reader.attention(4), key).tolist()
                for key in ("gene", "row_start", "peak", "logit", "n_above", "denominator")
            },
            "cell 4, beyond k_max": {key: getattr(links, key).tolist() for key in ("gene", "peak", "rank")},
            "sums": sums,
            "map of B cell": {key: pairs[key].tolist() for key in ("gene", "peak", "n_cells", "n_both")},
            "across B cells": {
                what: {key: getattr(links, key).tolist() for key in ("cells", "cell", "feature", "rank")}
                for what, links in across_b_cells(reader).items()
            },
            "expected of B cell": [float(total) for total in reader.null("B cell").expected.sum(axis=1)],
        }


def across_b_cells(reader: StoreReader) -> dict[str, PairLinks]:
    """One gene and one peak in all B cells, of each layer."""
    cells = reader.cells_of("B cell")
    found = {}
    for layer in range(reader.attributes.n_layers):
        found[f"gene 7, layer {layer}"] = reader.links_of_gene(7, cells, layer)
        found[f"peak 21, layer {layer}"] = reader.links_of_peak(21, cells, layer)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
