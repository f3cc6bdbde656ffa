from __future__ import annotations

import pytest
from pydantic import ValidationError

from bi2scope.data.errors import ConfigurationError
from bi2scope.server.settings import Settings, load_settings


def test_only_the_loopback_address_by_default() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8050)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost", "192.168.1.5", ""])
def test_any_other_address_is_refused_with_a_way_out(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"serves 127\.0\.0\.1 only") as refused:
        Settings(host=host)
    assert "ssh -L" in refused.value.hint


def test_the_environment_is_read_and_what_was_chosen_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BI2SCOPE_PORT", "9001")
    monkeypatch.setenv("BI2SCOPE_MAX_UPLOAD_BYTES", "77")
    assert (load_settings().port, load_settings(port=None).port, load_settings(port=9002).port) == (9001, 9001, 9002)
    assert load_settings(port=9002).max_upload_bytes == 77
    monkeypatch.setenv("BI2SCOPE_HOST", "0.0.0.0")
    with pytest.raises(ConfigurationError, match="no passwords"):
        load_settings()


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
