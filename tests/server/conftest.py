from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from service import Service
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.settings import Settings

settings.register_profile("shared machine", deadline=None)  # examples are quick, but the machine may be busy
settings.load_profile("shared machine")

STRANGE_TYPES = ["CD4 Naive/Tcm", "=cmd|'/c calc'!A1", 'Mögliche Zellen #2, "rest"']
STRANGE_CELLS = ["a/b", "a/b/links", "50% +1", "-2+3", "ünï#x", "plain", "two words", 'quo"te', "semi;colon", "com,ma"]


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    """Two layers and two heads; rows cut at 8 links, so that some answers are truncated."""
    path = tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", layers=2, heads=2, k_max=8)
    with StoreReader.open(path) as reader:
        yield reader


@pytest.fixture(scope="session")
def catalogue(reader: StoreReader) -> Catalogue:
    return Catalogue(reader)


@pytest.fixture(scope="session")
def service(reader: StoreReader) -> Service:
    return Service(create_app(Settings(), reader))


@pytest.fixture(scope="session")
def strange_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    """Names with slashes, signs, quotes, hashes, other alphabets; genes that share a symbol or have none."""
    multiome = tiny_multiome(n_cells=len(STRANGE_CELLS), seed=4)
    types = pd.Categorical.from_codes(np.arange(len(STRANGE_CELLS)) % 3, STRANGE_TYPES)
    cells = pd.DataFrame({"cell_type": types}, index=pd.Index(STRANGE_CELLS, dtype=object))
    names = ["=SUM(A1)", "@twin", "HLA-DRA", "hash#tag", "com,ma", "HLA-DRA", "ENSG00010", *multiome.genes["name"][7:]]
    genes = multiome.genes.assign(name=names)
    strange = replace(multiome, cells=cells, genes=genes)
    model = RandomModel.of(strange, np.random.default_rng(4))
    path = tmp_path_factory.mktemp("store") / "strange.h5"
    with StoreReader.open(write_store(path, strange, model, tiny_attributes())) as reader:
        yield reader


@pytest.fixture(scope="session")
def strange(strange_reader: StoreReader) -> Service:
    return Service(create_app(Settings(), strange_reader))


@pytest.fixture
def own_store(tmp_path: Path) -> Path:
    """A store that a test may damage."""
    return tiny_store(tmp_path / "own.h5", n_cells=12)
