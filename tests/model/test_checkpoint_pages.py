"""The pages on checkpoints and searches say what is so."""

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from multiomes import random_multiome
from safetensors import safe_open

from bi2scope.model import search as search_module
from bi2scope.model.checkpoint import Trained, load, save
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.network import Bi2Former
from bi2scope.model.search import SearchOptions, search
from bi2scope.model.search_space import PAPER_GRIDS, SearchSpace
from bi2scope.search_verb import Trials

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHECKPOINTS, SEARCH = ((DOCS / name).read_text(encoding="utf-8") for name in ("checkpoints.md", "search.md"))


def json_block(page: str) -> dict[str, Any]:
    found = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_the_metadata_of_a_checkpoint(tmp_path: Path) -> None:
    shown = json_block(CHECKPOINTS)
    genes, peaks = (
        pd.DataFrame({name: values for name, values in columns.items() if name != "id"}, index=columns["id"])
        for columns in (shown["features"]["genes"], shown["features"]["peaks"])
    )
    config = ModelConfig(**shown["configuration"]["model"])
    normalisation = Normalisation.standard(genes)
    network = Bi2Former(config, feature_layout(genes, peaks, normalisation))
    _, training = protocol_defaults("paper")
    save(
        Trained(network, config, training, genes, peaks, normalisation, shown["report"], shown["dataset_digest"]),
        tmp_path / "m.safetensors",
    )
    with safe_open(tmp_path / "m.safetensors", framework="pt") as file:
        metadata, names = file.metadata(), list(file.keys())
    plain = {"format", "format_version", "dataset_digest"}
    written = {key: text if key in plain else json.loads(text) for key, text in metadata.items()}
    said = written["configuration"].pop("training")
    assert shown["configuration"].pop("training").items() <= said.items()
    assert written == shown
    assert load(tmp_path / "m.safetensors").report == shown["report"]
    for name in names:
        part = name.removeprefix("cross_attention_layers.0.").rsplit(".", 1)[0]
        assert re.sub(r"^fc\d$", "fc{1,2,3}", part) in CHECKPOINTS


def test_the_papers_grids_and_the_defaults_of_a_search() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", SEARCH, re.MULTILINE))
    assert {name: ", ".join(map(str, values)) for name, values in PAPER_GRIDS.items()} == rows
    assert f"{SearchSpace(PAPER_GRIDS, *protocol_defaults('paper')).size:,} combinations" in SEARCH
    space = {name: tuple(values) for name, values in json_block(SEARCH).items()}
    assert SearchSpace(space, *protocol_defaults("bi2scope")).size == 12
    defaults = Trials()
    assert f"`--trials` ({defaults.trials})" in SEARCH
    assert f"`--stale-after` ({defaults.stale_after:g})" in SEARCH
    assert f"`--sampler {defaults.sampler}` (default)" in SEARCH
    assert f"`--pruner {defaults.pruner}` (default)" in SEARCH


def test_the_columns_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validation = {"accuracy": 0.7, "loss": 0.5, "auroc": 0.6}
    report = {"validation": validation, "best_epoch": 1}
    monkeypatch.setattr(search_module, "train", lambda *_: SimpleNamespace(report=report))
    options = SearchOptions(tmp_path / "a.log", tmp_path / "a.csv", trials=1)
    search(random_multiome(1), SearchSpace({"layers": (1, 2)}, *protocol_defaults("bi2scope")), options)
    lines = [line for line in (tmp_path / "a.csv").read_text().splitlines() if not line.startswith("#")]
    names = [name for name in next(csv.reader(lines)) if name != "layers"]
    assert re.findall(r"`([\w.]+)`", SEARCH.split("written after each:")[1]) == names
