"""What an attention store holds, as lines for people."""

from __future__ import annotations

from typing import Any

from bi2scope.data.candidates import candidates_text
from bi2scope.data.store import schema
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.training_report import accuracy_sentence


def store_summary(reader: StoreReader) -> list[tuple[str, str]]:
    """Name and value of what is worth knowing about a store, in reading order."""
    about = reader.attributes
    sizes = reader.cells["cell_type"].value_counts()
    types = ", ".join(f"{name} ({sizes[name]:,})" for name in reader.cell_types)
    megabytes = reader.path.stat().st_size / 1e6
    return [
        ("store", f"{reader.path} ({megabytes:,.1f} MB, format {about.format_version})"),
        ("data set", about.name),
        ("made", f"{about.created} by {about.generator}"),
        ("cells", f"{len(reader.cells):,}: {types}"),
        ("features", f"{len(reader.genes):,} genes, {len(reader.peaks):,} peaks"),
        ("model", f"{about.n_layers} layer(s), {about.n_heads} head(s), {about.n_parameters:,} parameters"),
        ("candidates", candidates_text(about.max_distance)),
        ("links", f"up to {about.k_max} per gene, cell, layer and head, of score above {about.floor:g}"),
        ("attention", about.attention),
        ("factors", _factors(reader)),
        ("embedding", reader.embedding_method),
        ("pooled", "the model's representation of every cell" if reader.has_pooled else "none"),
        ("quality", ", ".join(str(name) for name in reader.cells if name not in schema.CELL_COLUMNS) or "none"),
        ("own pairs", _own_pairs(about.metrics)),
        ("controls", ", ".join(reader.controls) or "none"),
        ("learning", _learning(about.training)),
        ("data digest", about.dataset_digest),
        ("model digest", about.model_digest),
        *(("note", note) for note in about.notes),
    ]


def _learning(training: dict[str, Any] | None) -> str:
    return accuracy_sentence(training) if training else "the store says nothing of how the model was trained"


def _own_pairs(metrics: dict[str, Any] | None) -> str:
    found = (metrics or {}).get("own_pairs") or {}
    if found.get("called_matched") is None:
        return "the store says nothing of what the model makes of them"
    return (
        f"{found['called_matched']:.1%} of {found['n_cells']:,} called matched, "
        f"mean probability {found['mean_probability']:.3f} (training cells are not left out)"
    )


def _factors(reader: StoreReader) -> str:
    if not reader.has_factors:
        return "none: what was cut at k_max stays cut"
    return "of the first layer: its attention is recomputed exactly where links were cut at k_max"
