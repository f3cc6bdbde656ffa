"""Walks over component trees, and callbacks asked as the browser asks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import httpx
from dash.development.base_component import Component
from fastapi import FastAPI

Result = TypeVar("Result")


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(coroutine)


def every(tree: Any) -> Iterator[Component]:
    """Every component of a tree, lists included."""
    for one in tree if isinstance(tree, (list, tuple)) else [tree]:
        if isinstance(one, Component):
            yield one
            yield from every(getattr(one, "children", None))


def text_of(tree: Any) -> str:
    """All text of a tree, in reading order, titles of alerts first."""
    if isinstance(tree, (list, tuple)):
        return " ".join(filter(None, map(text_of, tree)))
    if isinstance(tree, Component):
        return " ".join(filter(None, [str(getattr(tree, "title", "") or ""), text_of(getattr(tree, "children", None))]))
    return "" if tree is None else str(tree)


def by_id(tree: Any, name: str) -> Component:
    found = [one for one in every(tree) if getattr(one, "id", None) == name]
    assert len(found) == 1, f"{len(found)} components are called {name}"
    return found[0]


def ask_callback(
    api: FastAPI, outputs: list[str], inputs: dict[str, Any], state: dict[str, Any], moved: str | None = None
) -> httpx.Response:
    """Ask a callback as the browser does; names are ``component.property``; the first input moved, or ``moved``.

    The last ``outputs`` may carry Dash's ``@hash`` of a shared output; give it as Dash lists it.
    """

    def parts(name: str) -> dict[str, str]:
        component, _, prop = name.rpartition(".")
        return {"id": component, "property": prop}

    output: Any = [parts(name) for name in outputs]
    body = {
        "output": f"..{'...'.join(outputs)}.." if len(outputs) > 1 else outputs[0],
        "outputs": output if len(outputs) > 1 else output[0],
        "inputs": [{**parts(name), "value": value} for name, value in inputs.items()],
        "state": [{**parts(name), "value": value} for name, value in state.items()],
        "changedPropIds": [moved or next(iter(inputs))],
    }

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://test") as http:
            return await http.post(
                "/_dash-update-component", content=json.dumps(body), headers={"Content-Type": "application/json"}
            )

    return asyncio.run(once())
