"""The page's HTML: what is in it before Dash, and Dash's scripts in their order."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from service import Service

from bi2scope.dashboard.app import ASSETS
from bi2scope.dashboard.index import EARLY, UNUSED


@pytest.fixture
def index(screen: FastAPI) -> str:
    return Service(screen).ask("GET", "/").text


def held_back(index: str) -> str:
    found = re.search(r'<template id="page-scripts"[^>]*>(.*)</template>', index, re.DOTALL)
    assert found is not None
    return found[1]


def test_only_the_early_scripts_run_by_themselves(index: str) -> None:
    free = index.replace(held_back(index), "")
    sources = [source.split("?")[0] for source in re.findall(r'<script src="([^"]*)"', free)]
    assert sources == [f"/assets/{name}" for name in EARLY]
    assert index.index(sources[0]) < index.index("</head>")


def test_all_other_scripts_are_held_back_in_dashs_order(index: str) -> None:
    held = held_back(index)
    sources = re.findall(r'<script src="([^"]*)"', held)
    places = [
        next(i for i, each in enumerate(sources) if name in each) for name in ("react@", "bi2scope.js", "renderer")
    ]
    assert places == sorted(places)
    assert not any(UNUSED in each for each in sources)
    own = {each.rpartition("/")[2].split("?")[0] for each in sources if each.startswith("/assets/")}
    assert own | set(EARLY) == {path.name for path in ASSETS.glob("*.js")}
    (start,) = re.findall(r"<script(?! src)[^>]*>(.*?)</script>", held)
    assert "new DashRenderer" in start


def test_plotly_comes_under_a_name_that_the_browser_may_keep(screen: FastAPI, index: str) -> None:
    (address,) = re.findall(r'data-plotly="([^"]*)"', index)
    answer = Service(screen).ask("GET", address)
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert "plotly.js v" in answer.text[:200]
