from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from service import API, Service, refusal

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server import json_body
from bi2scope.server.wire import PeakScores
from bi2scope.server.wire_differences import GeneDifference, PeakDifference


def post(service: Service, path: str, **body: Any) -> httpx.Response:
    return service.ask("POST", f"{API}/cells/{path}", json=body)


def names(reader: StoreReader, positions: Any) -> list[str]:
    return [str(each) for each in reader.cells.index[np.asarray(positions)]]


def test_scores_are_those_of_the_cells(service: Service, reader: StoreReader) -> None:
    cells = [40, 3, 17, 3]
    answer = post(service, "scores", cells=names(reader, cells), threshold=0.7, top_k=4, layer=1)
    assert answer.status_code == 200, answer.text
    body = PeakScores.model_validate(answer.json())
    wanted = reader.cumulative_of_cells([3, 17, 40], Cut(0.7, 4), 1)
    assert body.n_cells == 3
    assert (body.cell_type, body.threshold, body.top_k, body.layer) == ("chosen cells", 0.7, 4, 1)
    for name in ("n_open", "links", "score", "weight"):
        assert getattr(body, name) == getattr(wanted, name).tolist()


def test_all_cells_of_a_type_score_as_the_type(service: Service, reader: StoreReader) -> None:
    own = names(reader, reader.cells_of("B cell"))
    body = post(service, "scores", cells=own, threshold=0.9).json()
    whole = service.json("/celltypes/B cell/scores", threshold=0.9)
    assert {**body, "cell_type": "B cell"} == whole


def test_the_csv_has_the_scores(service: Service, reader: StoreReader) -> None:
    asked = {"cells": names(reader, range(9)), "threshold": 0.8}
    body, answer = post(service, "scores", **asked).json(), post(service, "scores.csv", **asked)
    table = pd.read_csv(io.StringIO(answer.text), comment="#", float_precision="round_trip")
    assert table["score"].tolist() == body["score"]
    assert table["peak"].tolist() == body["peak"]
    assert "# cells: 9, chosen one by one" in answer.text
    assert 'filename="bi2scope_peaks_chosen-cells.csv"' in answer.headers["content-disposition"]


@pytest.mark.parametrize(("of", "model"), [("peaks", PeakDifference), ("genes", GeneDifference)])
def test_cells_of_types_differ_as_the_types_do(
    service: Service, reader: StoreReader, of: str, model: type[PeakDifference | GeneDifference]
) -> None:
    options = {"threshold": 0.7, "top_k": 5, "test": "welch", "normalise": "none"}
    first, second = (names(reader, reader.cells_of(name)) for name in ("CD4 naive", "B cell"))
    for against, sets in (("", {}), ("B cell", {"against_cells": second})):
        wanted = service.json(f"/celltypes/CD4 naive/difference/{of}", **options, against=against)
        answer = post(service, f"difference/{of}", cells=first, **sets, **options)
        model.model_validate(answer.json())
        found = answer.json()
        assert found["cell_type"] == "chosen cells"
        assert found["against"] == ("other chosen cells" if sets else None)
        assert found["rows"] == wanted["rows"]
        assert found["n_cells_against"] == wanted["n_cells_against"]
        table = post(service, f"difference/{of}.csv", cells=first, **sets, **options)
        assert f"# against: {'other chosen' if sets else 'all other'} cells" in table.text
        assert "# view:" not in table.text


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"cells": []}, 422, "cells is []; it must be a list of names of cells, from 1 to 20000."),
        ({}, 422, "a list of names of cells"),
        ({"cells": "AAAC"}, 422, "a list of names of cells"),
        ({"cells": [5]}, 422, "a list of names of cells"),
        ({"cells": ["x" * 501]}, 422, "a list of names of cells"),
        ({"cells": ["nobody"] * 20_001}, 422, "from 1 to 20000"),
        ({"cells": ["nobody"]}, 404, "'nobody'"),
        ({"cells": ["nobody"], "threshold": 1.7}, 422, "threshold is 1.7"),
        ({"cells": ["nobody"], "treshold": 0.7}, 422, "Did you mean threshold?"),
    ],
)
def test_bodies_that_are_refused(service: Service, body: dict[str, Any], status: int, said: str) -> None:
    found = refusal(post(service, "scores", **body))
    assert found[0] == status
    assert said in found[2]
    assert len(found[2]) < 400


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 422, "not JSON"), (b"{", 422, "not JSON"), (b"[]", 422, "no JSON object"), (b"7", 422, "no JSON object"),
        (b"\xff\xfe{}", 422, "not JSON"), (b'{"cells": ["' + b"x" * 2000 + b'"]}', 413, "larger than"),
    ],
)  # fmt: skip
def test_what_is_no_body_at_all(
    service: Service, content: bytes, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_body, "MOST_BYTES", 1000)
    found = refusal(service.ask("POST", f"{API}/cells/scores", content=content))
    assert found[0] == status
    assert said in found[2]


def test_sets_must_be_apart_and_have_cells(service: Service, reader: StoreReader) -> None:
    both = post(service, "difference/peaks", cells=names(reader, [1, 2, 3]), against_cells=names(reader, [3, 4, 5]))
    status, _, message, _ = refusal(both)
    assert (status, message) == (422, f"1 of the cells are in both sets, among them {reader.cells.index[3]}.")
    few = post(service, "difference/peaks", cells=names(reader, [1, 2]))
    assert refusal(few)[2].startswith("chosen cells: 2 cells.")
    assert refusal(service.get("/cells/scores"))[0] == 405
