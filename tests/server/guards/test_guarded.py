"""All guards together around the real service: headers, CORS, compression, the client that goes past them."""

from __future__ import annotations

import asyncio
import gzip

import pytest
import zstandard
from asgi import ask
from service import API, Service, refusal
from starlette.types import ASGIApp

from bi2scope.dashboard.client import Client
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.guards.guarded import guarded, longest_body
from bi2scope.server.settings import Settings

SETTINGS = Settings(allowed_hosts=("test",))


@pytest.fixture(scope="module")
def app(reader: StoreReader) -> ASGIApp:
    return guarded(create_app(SETTINGS, reader), SETTINGS)


@pytest.mark.parametrize("path", [f"{API}/health", f"{API}/nothing", "/nowhere"])
def test_every_answer_has_the_safe_headers(app: ASGIApp, path: str) -> None:
    headers = ask(app, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
    assert "http" not in policy
    refused = ask(app, path, headers={"Host": "evil.example"})
    assert refused.status_code == 421
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_no_other_origin_is_ever_let_in(app: ASGIApp) -> None:
    foreign = {"Origin": "http://evil.example"}
    preflight = ask(app, f"{API}/tracks", "OPTIONS", {**foreign, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code in {404, 405}
    read = ask(app, f"{API}/dataset", headers=foreign)
    written = ask(app, f"{API}/tracks", "POST", foreign, files={"file": ("a.bed", b"chr1\t0\t9\n")})
    assert refusal(written)[:2] == (403, "OriginError")
    for answer in (preflight, read, written):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_dashboards_client_goes_past_the_guards(reader: StoreReader) -> None:
    settings = Settings(token="t" * 32)
    api = create_app(settings, reader)
    assert ask(guarded(api, settings), f"{API}/dataset", headers={"Host": "localhost"}).status_code == 401
    assert asyncio.run(Client.of_app(api).dataset()).n_cells == 60


# ---------------------------------------------------------------- compression


@pytest.mark.parametrize("path", ["/embedding", "/cells/{}/links", "/cells/{}/links.csv"])
def test_bodies_are_compressed_for_who_asks(app: ASGIApp, reader: StoreReader, path: str) -> None:
    path = API + path.format(reader.cells.index[0])
    plain = ask(app, path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["vary"]
    zipped = ask(app, path, headers={"Accept-Encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in zipped.headers["vary"]
    assert zipped.content == plain.content
    assert raw(app, path, "gzip")[:2] == b"\x1f\x8b"
    assert gzip.decompress(raw(app, path, "gzip")) == plain.content
    best = raw(app, path, "gzip, deflate, br, zstd")
    assert zstandard.ZstdDecompressor().stream_reader(best).read() == plain.content
    assert len(best) < len(plain.content)


def raw(app: ASGIApp, path: str, accepted: str) -> bytes:
    """The bytes of an answer as they travel."""

    async def once() -> bytes:
        pieces: list[bytes] = []
        asked = iter((True,))

        async def receive() -> dict:  # type: ignore[type-arg]
            if next(asked, None) is None:
                await asyncio.sleep(30)  # the client stays
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:  # type: ignore[type-arg]
            pieces.append(message.get("body", b""))

        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
                 "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "server": ("test", 80),
                 "client": ("test", 1),
                 "headers": [(b"host", b"test"), (b"accept-encoding", accepted.encode())]}  # fmt: skip
        await app(scope, receive, send)  # type: ignore[arg-type]
        return b"".join(pieces)

    return asyncio.run(once())


def test_short_bodies_stay_as_they_are(app: ASGIApp) -> None:
    assert "content-encoding" not in ask(app, f"{API}/health", headers={"Accept-Encoding": "zstd, gzip"}).headers


def test_an_upload_in_base64_fits() -> None:
    settings = Settings(max_upload_bytes=3_000_000)
    assert longest_body(settings) > 4_000_000


def test_an_upload_over_the_limit_has_the_one_error_shape(reader: StoreReader) -> None:
    settings = Settings(max_upload_bytes=1000, allowed_hosts=("test",))
    service = Service(guarded(create_app(settings, reader), settings))
    for size in (2000, 3_000_000):
        answer = service.ask("POST", f"{API}/tracks", files={"file": ("a.bed", b"x" * size)})
        assert refusal(answer)[:2] == (413, "UploadTooLargeError")
