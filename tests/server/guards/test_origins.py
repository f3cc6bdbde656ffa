from __future__ import annotations

import pytest
from asgi import ask, reached
from service import refusal

from bi2scope.server.guards.origins import Origins

GUARD = Origins(reached)


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Origin": "http://test"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://test:444"},
    ],
)  # fmt: skip
def test_own_pages_and_programs_may_change_things(headers: dict[str, str]) -> None:
    assert ask(GUARD, "/api/v1/tracks", "POST", headers).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://test.evil.example"}, {"Origin": ""},
        {"Origin": "http://test:81"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://test"},
    ],
)  # fmt: skip
def test_pages_of_other_sites_may_not(method: str, headers: dict[str, str]) -> None:
    status, kind, _, _ = refusal(ask(GUARD, "/api/v1/tracks", method, headers))
    assert (status, kind) == (403, "OriginError")


def test_reading_is_left_to_the_browser() -> None:
    assert ask(GUARD, "/api/v1/dataset", headers={"Origin": "http://evil.example"}).status_code == 200
