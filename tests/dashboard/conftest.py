from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from stores import tiny_store

from bi2scope.dashboard.app import create_app
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.settings import Settings
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app as create_api
from bi2scope.server.settings import Settings as ApiSettings


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    """Rows cut at 8 links, so that some answers are truncated."""
    with StoreReader.open(tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", k_max=8)) as reader:
        yield reader


@pytest.fixture
def api(reader: StoreReader) -> FastAPI:
    return create_api(ApiSettings(), reader)


@pytest.fixture
def client(api: FastAPI) -> Client:
    return Client.of_app(api)


@pytest.fixture
def screen(api: FastAPI, client: Client) -> FastAPI:
    """The service with the dashboard mounted on it."""
    create_app(Settings(), api, client)
    return api
