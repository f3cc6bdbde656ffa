"""Configurations as a JSON file: ``{"model": {...}, "training": {...}}``, whole or in part.

What a file leaves out is the protocol's: that of its own ``training.protocol``, or the one asked for. The settings are
those of :class:`bi2scope.model.config.ModelConfig` and :class:`bi2scope.model.config.TrainingConfig`. Written by
``bi2scope search``, read by ``bi2scope train --config``.
"""

from __future__ import annotations

import json
import types
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.files import replacing
from bi2scope.model.config import ModelConfig, TrainingConfig, protocol_defaults

DEFAULT_PROTOCOL = "bi2scope"

_PARTS: dict[str, type[ModelConfig] | type[TrainingConfig]] = {"model": ModelConfig, "training": TrainingConfig}

_WANTED = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}

Config = TypeVar("Config", ModelConfig, TrainingConfig)


def read_configuration(path: str | Path, protocol: str | None = None) -> tuple[ModelConfig, TrainingConfig]:
    """The configurations of a file, over those of a protocol.

    Parameters
    ----------
    path
        A JSON file as :func:`write_configuration` makes it, or a part of one.
    protocol
        Where the settings that the file lacks come from; when left out, the file's own ``training.protocol``, or
        :data:`DEFAULT_PROTOCOL`.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, has keys that are no settings, values of another kind or out of range, or is of
        another protocol than the one asked for.
    """
    target = Path(path)
    parts = _parts(target)
    own = parts["training"].get("protocol", protocol)
    if protocol is not None and own != protocol:
        raise ConfigurationError(
            f"{target}: training.protocol is {own!r}, and the protocol {protocol} was asked for.",
            "Leave out one of the two.",
        )
    model, training = protocol_defaults(own or DEFAULT_PROTOCOL)
    return _over(model, parts["model"], target), _over(training, parts["training"], target)


def write_configuration(path: str | Path, model_config: ModelConfig, training_config: TrainingConfig) -> None:
    """Write both as JSON, with every setting that is not at a default of old; the file is whole or not there."""
    parts = {"model": model_config.as_dict(), "training": training_config.as_dict()}
    with replacing(Path(path)) as temporary:
        temporary.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")


def _parts(path: Path) -> dict[str, dict[str, Any]]:
    """The two parts of a file, their names and the kinds of their values checked."""
    found = _json(path)
    wanted = f"{path}: a configuration is an object with the keys model and training, each an object of settings"
    if not isinstance(found, dict):
        raise ConfigurationError(f"{wanted}; found {_kind(found)}.")
    unknown = sorted(set(found) - set(_PARTS))
    if unknown:
        raise ConfigurationError(f"{wanted}; found {', '.join(unknown)}.")
    parts: dict[str, dict[str, Any]] = {}
    for name, cls in _PARTS.items():
        part = found.get(name, {})
        if not isinstance(part, dict):
            raise ConfigurationError(f"{wanted}; {name} is {_kind(part)}.")
        _check_part(path, name, part, cls)
        parts[name] = part
    return parts


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}.", "A JSON file of settings is wanted.") from error
    except ValueError as error:  # of JSON, or bytes that are no text
        raise ConfigurationError(f"{path} is not a JSON file: {error}.") from error


def _check_part(path: Path, part: str, values: dict[str, Any], cls: type) -> None:
    known = {field.name for field in fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigurationError(
            f"{path}: {part} has no setting named {', '.join(unknown)}.", f"It has {', '.join(sorted(known))}."
        )
    hints = get_type_hints(cls)
    for name, value in values.items():
        kinds = _kinds(hints[name])
        if not any(_is(value, kind) for kind in kinds):
            wanted = " or ".join(_WANTED[kind] for kind in kinds)
            raise ConfigurationError(f"{path}: {part}.{name} is {value!r}; {wanted} was wanted.")


def _kinds(hint: Any) -> tuple[type, ...]:
    """Plain types that a value of a setting may have."""
    if get_origin(hint) is Literal:
        return (str,)
    if isinstance(hint, types.UnionType) or get_origin(hint) is not None:
        return tuple(kind for part in get_args(hint) for kind in _kinds(part))
    return (hint,)


def _is(value: Any, kind: type) -> bool:
    return type(value) is kind or (kind is float and type(value) is int)


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {**_WANTED, dict: "an object", list: "a list"}
    return kinds[type(value)]


def _over(config: Config, values: dict[str, Any], path: Path) -> Config:
    try:
        return replace(config, **values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}", error.hint) from error
