"""The options by which verbs take cells."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.source import Source
from bi2scope.options import SOURCE_OPTIONS, with_source

VERBS = ("prepare", "train", "precompute")


def test_every_option_sets_a_field_of_the_source() -> None:
    fields = {field.name for field in dataclasses.fields(Source)}
    assert set(SOURCE_OPTIONS) <= fields
    assert fields - set(SOURCE_OPTIONS) == {"peak_fasta", "genome", "seed"}  # of prepare alone


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_reads_cells_takes_them_all(verb: str) -> None:
    function = next(command.callback for command in cli.app.registered_commands if command.callback.__name__ == verb)
    assert set(SOURCE_OPTIONS) <= set(inspect.signature(function).parameters)


def test_a_verb_gets_its_source_and_its_own_options() -> None:
    seen = {}

    @with_source
    def verb(source: Source, out: int = 3) -> None:
        seen.update(source=source, out=out)

    verb(**{**dict.fromkeys(SOURCE_OPTIONS), "cells": "c.h5", "labels": "l.csv", "out": 4})
    assert seen == {"source": Source(cells="c.h5", labels="l.csv"), "out": 4}


@pytest.mark.parametrize("arguments", [[], ["--rna", "r.h5ad"], ["--cells", "c.h5", "--atac", "a.h5ad"]])
def test_files_that_make_no_data_set_are_refused_before_any_work(arguments: list[str]) -> None:
    done = CliRunner().invoke(cli.app, ["prepare", *arguments, "--out", "never.h5"])
    assert isinstance(done.exception, ConfigurationError)
    assert done.exception.message.startswith("Wanted --rna and --atac, or --cells; found ")
