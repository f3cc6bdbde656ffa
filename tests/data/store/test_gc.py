from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from service import API, Service
from stores import RandomModel, tiny_attributes, tiny_multiome, write_store

from bi2scope.data.dna import encoded
from bi2scope.data.store.check import check_store
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings


def test_the_share_of_g_and_c_is_kept_where_sequences_are_known(tmp_path: Path) -> None:
    multiome = tiny_multiome(12)
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGTN"), 300)) for _ in range(multiome.n_peaks)]
    sequences[5] = "N" * 300
    dna = np.stack([encoded(each) for each in sequences])
    model = RandomModel.of(multiome, rng)
    with_dna = replace(multiome, peak_dna=dna)
    path = write_store(tmp_path / "dna.h5", with_dna, model, tiny_attributes())
    with StoreReader.open(path) as reader:
        found = reader.peaks["gc"].to_numpy()
    for gc, sequence in zip(found, sequences, strict=True):
        known = [base for base in sequence[:256] if base != "N"]
        if known:
            assert gc == pytest.approx(sum(base in "GC" for base in known) / len(known), rel=1e-6)
        else:
            assert np.isnan(gc)
    assert check_store(path) == []
    with StoreReader.open(write_store(tmp_path / "none.h5", multiome, model, tiny_attributes())) as reader:
        assert list(reader.peaks.columns) == ["chrom", "start", "end"]


def test_tracks_are_matched_on_it(tmp_path: Path) -> None:
    multiome = tiny_multiome(12)
    dna = np.random.default_rng(1).choice(np.array([0.25, 0.5, 0.75, 1], np.float32), (multiome.n_peaks, 256))
    path = write_store(
        tmp_path / "dna.h5",
        replace(multiome, peak_dna=dna),
        RandomModel.of(multiome, np.random.default_rng(0)),
        tiny_attributes(),
    )
    with StoreReader.open(path) as reader:
        service = Service(create_app(Settings(), reader))
        answer = service.ask(
            "POST",
            f"{API}/celltypes/B cell/tf",
            params={"draws": 9},
            files={"file": ("some.bed", b"chr1\t1000\t90000\ta\t5\n")},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["matched_on"] == ["accessibility", "width", "gc"]
