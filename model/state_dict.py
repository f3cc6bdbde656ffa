"""State dicts of other programs: tensors by name out of a .pth or .safetensors file. No pickled object is ever made."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bi2scope.data.errors import CheckpointError

_WRAPPERS = ("state_dict", "model_state_dict")
"""Keys under which training scripts put the state dict beside other things."""

_PARALLEL = "module."
"""What DataParallel puts before every name."""

_WANTED = "Wanted the state dict of a Bi2Former: torch.save(model.state_dict(), file), or a .safetensors file."


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Parameters by name, float32 on the CPU.

    A state dict under ``state_dict`` or ``model_state_dict`` and names that begin with ``module.`` are taken as well.

    Parameters
    ----------
    path
        A file of ``torch.save`` or safetensors, told apart by content. The former is read with ``weights_only``:
        a file that asks for anything but tensors and plain containers is refused before any of it is run.

    Raises
    ------
    CheckpointError
        If the file cannot be read, asks for other objects, or does not hold finite numbers by name.
    """
    target = Path(path)
    if not target.is_file():
        raise CheckpointError(f"{target}: there is no such file.", _WANTED)
    found = _safetensors(target) if _is_safetensors(target) else _unwrapped(_torch_file(target))
    if not isinstance(found, Mapping) or not found:
        raise CheckpointError(f"{target} holds a {type(found).__name__}, not parameters by name.", _WANTED)
    faults = [fault for name, value in found.items() if (fault := _fault(name, value))]
    if faults:
        raise CheckpointError(f"{target}: {faults[0]} ({len(faults)} such of {len(found)} entries).", _WANTED)
    prefix = _PARALLEL if all(name.startswith(_PARALLEL) for name in found) else ""
    return {name.removeprefix(prefix): value.to(torch.float32).contiguous() for name, value in found.items()}


def _is_safetensors(path: Path) -> bool:
    """Whether a file starts as safetensors do: the length of a header, and a header in JSON."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            if "bi2scope" in (file.metadata() or {}).get("format", ""):
                raise CheckpointError(f"{path} is a checkpoint of bi2scope already.", "Use it as it is, with --model.")
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is no whole .safetensors file: {error}.", _WANTED) from error


def _torch_file(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign parser: a damaged file may raise anything
        asked = re.search(r"GLOBAL (\S+)", str(error)) or re.search(r"Unsupported \w+:? (\S+)", str(error))
        if asked:
            raise CheckpointError(
                f"{path} asks for {asked[1]}: a pickle may hold instructions to run, and only tensors are read.",
                _WANTED,
            ) from error
        raise CheckpointError(
            f"{path} is no file of torch.save, is damaged, or is a pickle of other objects ({type(error).__name__}).",
            _WANTED,
        ) from error


def _unwrapped(found: Any) -> Any:
    if isinstance(found, Mapping):
        for key in _WRAPPERS:
            if isinstance(found.get(key), Mapping):
                return found[key]
    return found


def _fault(name: Any, value: Any) -> str:
    """What is wrong with an entry, or nothing."""
    if not isinstance(name, str):
        return f"the entry {name!r} has no name"
    if not isinstance(value, Tensor):
        return f"{name!r} is a {type(value).__name__}, no tensor"
    if value.layout is not torch.strided or not value.is_floating_point():
        return f"{name} holds {str(value.dtype).removeprefix('torch.')}, no plain floating-point numbers"
    if not torch.isfinite(value).all():
        return f"{name} holds values that are not finite"
    return ""
