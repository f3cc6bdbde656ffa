"""Settings of the service, from ``BI2SCOPE_...`` environment variables or from the command line."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bi2scope.data.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
"""The address that is served unless another one is asked for."""

EVERYWHERE = ("0.0.0.0", "::")
"""Hosts that stand for every address of the machine."""

MEBIBYTE = 1024 * 1024

LEAST_TOKEN = 16
"""Fewest letters of a token; one that is made has 43."""


class Settings(BaseSettings):
    """Where the service listens, whom it answers, and how much it takes in.

    Attributes
    ----------
    host
        Address to listen on.
    port
        TCP port; 0 lets the system choose a free one.
    token
        What every request must carry; ``None`` for nothing, which is for the loopback alone.
    allowed_hosts
        Names that requests may call the service by, beside those of the loopback and ``host``.
    workers
        Processes that answer.
    max_concurrent, max_waiting, max_wait_seconds
        Requests that are worked on at once, those that may wait, and how long.
    max_upload_bytes
        Largest upload taken, as it travels (compressed or not).
    max_upload_lines
        Most lines of it, unpacked.
    upload_seconds
        Longest time that reading an upload may take.
    slow_client_seconds
        Longest pause of a client that sends a body or takes an answer.
    stop_seconds
        How long requests may take to end once the service is to stop.
    log
        How requests are logged: one plain line each, or one of JSON.
    log_level
        The least that is logged; requests are ``info``, which is the default for JSON. Plain, it is ``warning``.
    tracks
        Folder whose BED files are tracks from the start; ``None`` for none.
    blacklist
        BED file with regions whose peaks are left out of comparisons; ``None`` for none.
    dashboard
        Whether the dashboard is on the same port.
    """

    model_config = SettingsConfigDict(env_prefix="BI2SCOPE_", frozen=True, extra="ignore")

    host: str = Field(default=LOOPBACK, min_length=1)
    port: int = Field(default=8050, ge=0, le=65535)
    token: SecretStr | None = None
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    workers: int = Field(default=1, ge=1, le=64)
    max_concurrent: int = Field(default=32, ge=1)
    max_waiting: int = Field(default=64, ge=0)
    max_wait_seconds: float = Field(default=10.0, gt=0)
    max_upload_bytes: int = Field(default=64 * MEBIBYTE, ge=1)
    max_upload_lines: int = Field(default=1_000_000, ge=1)
    upload_seconds: float = Field(default=60.0, gt=0)
    slow_client_seconds: float = Field(default=30.0, gt=0)
    stop_seconds: int = Field(default=10, ge=0)
    log: Literal["plain", "json"] = "plain"
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    tracks: Path | None = None
    blacklist: Path | None = None
    dashboard: bool = True

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _names(cls, given: object) -> object:
        return tuple(filter(None, re.split(r"[,\s]+", given))) if isinstance(given, str) else given

    @field_validator("token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        text = token.get_secret_value() if token else None
        if text is not None and not re.fullmatch(rf"[!-~]{{{LEAST_TOKEN},}}", text):
            raise ConfigurationError(
                f"The token has {len(text)} letters; wanted are {LEAST_TOKEN} or more, of ASCII and without spaces.",
                "Leave BI2SCOPE_TOKEN out to have one made, or make one: python -c 'import secrets; "
                "print(secrets.token_urlsafe(32))'.",
            )
        return token

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def everywhere(self) -> bool:
        """Whether the service listens on every address of the machine."""
        return self.host in EVERYWHERE

    def link(self, token: str | None = None) -> str:
        """Address of the service for a browser, with a token for it or without."""
        host = socket.gethostname() if self.everywhere else self.host
        address = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        return address if token is None else f"{address}/?token={token}"


def load_settings(**chosen: object) -> Settings:
    """Settings from the environment, with what was chosen by hand on top; ``None`` leaves a setting alone.

    Raises
    ------
    ConfigurationError
        If a setting is out of its range or not of its type, naming it.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    try:
        return Settings.model_validate({**Settings().model_dump(), **given}) if given else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"The setting {name} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}.",
            f"It comes from the command line or from BI2SCOPE_{name.upper()}.",
        ) from None
