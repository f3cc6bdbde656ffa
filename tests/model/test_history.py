import csv
from dataclasses import replace
from pathlib import Path

from multiomes import random_multiome

from bi2scope.model.config import protocol_defaults
from bi2scope.model.history import write_history
from bi2scope.model.training import Execution, train
from bi2scope.server.wire import EpochRecord


def test_a_history_is_written_as_it_grows(tmp_path: Path) -> None:
    path, seen = tmp_path / "history.csv", []

    def grown(history: list[dict[str, object]]) -> None:
        write_history(path, history)
        seen.append(len(path.read_text().splitlines()))

    model, config = protocol_defaults("bi2scope", epochs=3, seed=4)
    model = replace(model, id_dim=8, hidden=8)
    cells = random_multiome(3, n_cells=60)
    trained = train(cells, model, config, progress=False, execution=Execution(on_epoch=grown))
    assert seen == [2, 3, 4]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == set(EpochRecord.model_fields)
    assert [{name: float(value) for name, value in row.items()} for row in rows] == trained.report["history"]


def test_no_epochs_are_no_file(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [])
    assert list(tmp_path.iterdir()) == []
