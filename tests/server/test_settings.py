from __future__ import annotations

import socket

import pytest
from pydantic import ValidationError

from bi2scope.data.errors import ConfigurationError
from bi2scope.server.settings import Settings, load_settings


def test_only_the_loopback_address_by_default() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8050)


@pytest.mark.parametrize(
    ("host", "loopback", "address"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:8050"),
        ("127.8.8.8", True, "http://127.8.8.8:8050"),
        ("::1", True, "http://[::1]:8050"),
        ("localhost", True, "http://localhost:8050"),
        ("0.0.0.0", False, f"http://{socket.gethostname()}:8050"),
        ("::", False, f"http://{socket.gethostname()}:8050"),
        ("192.168.1.5", False, "http://192.168.1.5:8050"),
        ("lab-server", False, "http://lab-server:8050"),
    ],
)
def test_which_addresses_are_this_machines_alone(host: str, loopback: bool, address: str) -> None:
    settings = Settings(host=host)
    assert (settings.loopback, settings.link()) == (loopback, address)


@pytest.mark.parametrize("token", ["short", "x" * 15, "with spaces in it, twenty", "ü" * 20])
def test_a_weak_token_is_refused_and_not_repeated(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BI2SCOPE_TOKEN", token)
    with pytest.raises(ConfigurationError, match="wanted are 16 or more") as refused:
        load_settings()
    assert token not in str(refused.value)


def test_a_token_is_not_shown_by_accident() -> None:
    settings = Settings(token="0123456789abcdef")
    assert "0123456789abcdef" not in f"{settings!r} {settings}"


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BI2SCOPE_ALLOWED_HOSTS", "a.example.org, b.example.org")
    assert load_settings().allowed_hosts == ("a.example.org", "b.example.org")
    assert load_settings(allowed_hosts=("c",)).allowed_hosts == ("c",)


def test_the_environment_is_read_and_what_was_chosen_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BI2SCOPE_PORT", "9001")
    monkeypatch.setenv("BI2SCOPE_MAX_UPLOAD_BYTES", "77")
    assert (load_settings().port, load_settings(port=None).port, load_settings(port=9002).port) == (9001, 9001, 9002)
    assert load_settings(port=9002).max_upload_bytes == 77


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_setting_out_of_its_range_is_named(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("BI2SCOPE_PORT", port)
    with pytest.raises(ConfigurationError, match=f"The setting port is '{port}': input should be") as refused:
        load_settings()
    assert "BI2SCOPE_PORT" in refused.value.hint
    monkeypatch.delenv("BI2SCOPE_PORT")
    with pytest.raises(ConfigurationError, match="The setting port is"):
        load_settings(port=port)


def test_settings_do_not_change_while_serving() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1
