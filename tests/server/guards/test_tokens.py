from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from asgi import ask, reached
from service import refusal

from bi2scope.server.guards.tokens import Tokens, new_token

TOKEN = "q" * 30 + "-_9"


@pytest.fixture
def guard() -> Tokens:
    return Tokens(reached, TOKEN, 8050)


@pytest.mark.parametrize("path", ["/", "/a.css", "/api/v1/dataset", "/_dash-update-component", "/api/v1/health/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_everything_is_refused_without_the_token(guard: Tokens, path: str, method: str) -> None:
    answer = ask(guard, path, method)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "reached" not in answer.text
    if path.startswith("/api"):
        assert refusal(answer)[1] == "TokenError"


def test_health_needs_no_token(guard: Tokens) -> None:
    assert ask(guard, "/api/v1/health").text == "reached GET /api/v1/health"


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_the_header_carries_it(guard: Tokens, given: str) -> None:
    assert ask(guard, "/api/v1/dataset", headers={"Authorization": given}).status_code == 200


@pytest.mark.parametrize(
    "given", [TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer \xfc"]
)
def test_another_header_does_not(guard: Tokens, given: str) -> None:
    answer = ask(guard, "/api/v1/dataset", headers={"Authorization": given.encode("latin-1")})
    assert answer.status_code == 401


def test_the_link_sets_a_cookie_once_and_leaves_the_address(guard: Tokens) -> None:
    answer = ask(guard, f"/?view=cell&token={TOKEN}&cell=a%2Fb")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?view=cell&cell=a%2Fb")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    carried = cookie.split(";")[0]
    assert ask(guard, "/assets/a.css", headers={"Cookie": f"a=b; {carried}"}).status_code == 200
    assert ask(guard, "/", headers={"Cookie": carried[:-1]}).status_code == 401
    assert ask(Tokens(reached, "another" * 5, 8050), "/", headers={"Cookie": carried}).status_code == 401
    assert ask(Tokens(reached, TOKEN, 8051), "/", headers={"Cookie": carried}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/?token=wrong"), ("GET", "/?token="), ("POST", f"/?token={TOKEN}"), ("GET", f"/?token=x&token={TOKEN}")],
)
def test_the_link_sets_no_cookie_otherwise(guard: Tokens, method: str, path: str) -> None:
    answer = ask(guard, path, method)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "//evil.example//"])
def test_the_link_leads_nowhere_else(guard: Tokens, path: str) -> None:
    location = ask(guard, f"http://test{path}?token={TOKEN}").headers["location"]
    assert location.startswith("/")
    assert location[1:2] not in {"/", "\\"}


def test_tokens_are_compared_in_constant_time(guard: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    original: Callable[[bytes, bytes], bool] = secrets.compare_digest

    def spy(given: bytes, wanted: bytes) -> bool:
        compared.append(given)
        return original(given, wanted)

    monkeypatch.setattr("bi2scope.server.guards.tokens.secrets.compare_digest", spy)
    ask(guard, "/?token=guess1", headers={"Authorization": "Bearer guess2", "Cookie": "bi2scope-8050=guess3"})
    assert sorted(compared) == [b"guess1", b"guess2", b"guess3"]


def test_tokens_that_are_made_differ_and_are_long() -> None:
    assert len({new_token() for _ in range(50)}) == 50
    assert len(new_token()) >= 43
