"""Settings of the service, from ``BI2SCOPE_...`` environment variables or from the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bi2scope.data.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
"""The only address served: the service knows no users and no passwords."""

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """Where the service listens and what it takes in.

    Attributes
    ----------
    host
        Address to listen on; 127.0.0.1 and no other.
    port
        TCP port; 0 lets the system choose a free one.
    max_upload_bytes
        Largest upload taken, as it travels (compressed or not).
    tracks
        Folder whose BED files are tracks from the start; ``None`` for none.
    blacklist
        BED file with regions whose peaks are left out of comparisons; ``None`` for none.
    """

    model_config = SettingsConfigDict(env_prefix="BI2SCOPE_", frozen=True, extra="ignore")

    host: str = LOOPBACK
    port: int = Field(default=8050, ge=0, le=65535)
    max_upload_bytes: int = Field(default=64 * MEBIBYTE, ge=1)
    tracks: Path | None = None
    blacklist: Path | None = None

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        if host != LOOPBACK:
            raise ConfigurationError(
                f"The host is {host!r}; bi2scope serves {LOOPBACK} only, because it knows no passwords.",
                "To reach it from another machine, forward the port: ssh -L 8050:127.0.0.1:8050 USER@SERVER.",
            )
        return host


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
