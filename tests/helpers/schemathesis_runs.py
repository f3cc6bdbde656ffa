"""A run of schemathesis over an application in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import schemathesis
from fastapi import FastAPI
from schemathesis.engine import Status, events, from_schema
from service import API

EMPTY = re.compile(r"[?&][a-z_]+=(&|'|$)")
"""A parameter without a value, which counts as absent whatever the description says of its values."""

PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Tally:
    """Requests that were made, and what was wrong with the answers, each kind once."""

    cases: int = 0
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, event: events.ScenarioFinished) -> None:
        self.cases += len(event.recorder.cases)
        for case, checks in event.recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    command = event.recorder.cases[case].value.as_curl_command()
                    if check.name == "negative_data_rejection" and EMPTY.search(command):
                        continue
                    self.failures.setdefault((str(event.label), check.name, failure.title), f"{failure} {command}")


def _with_names(names: Mapping[str, list[str]]) -> Callable[..., Any]:
    def put(_: Any, given: dict[str, Any] | None) -> dict[str, Any] | None:
        for name in set(given or {}) & set(names):
            choice = crc32(repr((name, given)).encode())
            if given is not None and isinstance(given[name], str) and choice % 4:
                given[name] = names[name][choice // 4 % len(names[name])]
        return given

    return put


def run(
    api: FastAPI,
    names: Mapping[str, list[str]],
    *,
    examples: int,
    phases: Collection[str],
    without: str | None = None,
) -> Tally:
    """Ask what the description of the service allows, and what it does not, and check the answers.

    Parameters
    ----------
    names
        Real names for parameters, put in the place of most that were made at random.
    examples
        Most requests of an address in the fuzzing phase.
    phases
        Some of :data:`PHASES`.
    without
        Pattern of addresses that are left out.
    """
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", api)
    if without is not None:
        schema = schema.exclude(path_regex=without)
    schema.config.seed = 1
    schema.config.update(request_timeout=120)  # a busy machine is not a failure
    schema.config.generation.max_examples = examples
    for phase in PHASES:
        getattr(schema.config.phases, phase).enabled = phase in phases
    accepted = schema.config.checks.positive_data_acceptance
    accepted.expected_statuses = [*accepted.expected_statuses, "422"]  # not every file is a BED file
    for kind in ("path_parameters", "query"):
        schema.hook(f"map_{kind}")(_with_names(names))
    tally = Tally()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            tally.add(event)
        elif isinstance(event, events.NonFatalError):
            tally.failures[(event.label, "error", type(event.value).__name__)] = str(event.value)
        elif isinstance(event, events.FatalError):
            raise event.exception
    return tally
