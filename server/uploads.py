"""Uploaded files, bounded in size and held in memory: nothing of it touches the disk."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from bi2scope.data.errors import ConfigurationError
from bi2scope.server.errors import UploadTooLargeError
from bi2scope.server.settings import Settings
from bi2scope.server.unpacking import Most, require_bounded

MULTIPART_OVERHEAD = 64 * 1024
"""What the form around a file may take beyond the file itself."""

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "BED3 to BED12, narrowPeak, broadPeak or bedGraph, plain or gzipped",
                        }
                    },
                }
            }
        },
    }
}
"""The form in the description of the service; the body is read by hand, so FastAPI cannot know it."""

FORM_WITH_BLACKLIST = copy.deepcopy(FORM)
"""The form with a second file, which need not be there."""

FORM_WITH_BLACKLIST["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["blacklist"] = {
    "type": "string",
    "format": "binary",
    "description": "BED of regions whose peaks are left out, in the place of the one given at the start",
}

File = tuple[str, bytes]
"""Name and contents of a file."""


async def read_uploads(request: Request, further: tuple[str, ...] = ()) -> dict[str, File]:
    """Names and contents of the file in the form's field ``file``, and of those in further fields that are there.

    How large they may be, all of them together, and how many lines each may have, is among the service's settings. More
    is refused as soon as that is known.

    Parameters
    ----------
    request
        A request with a multipart form.
    further
        Names of fields that may hold a file.

    Raises
    ------
    UploadTooLargeError
        If the file is larger, or has more lines.
    ConfigurationError
        If there is no such form, field or file.
    """
    settings: Settings = request.app.state.settings
    most = settings.max_upload_bytes
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _wanted("the request has no form")
    parser = MultiPartParser(request.headers, _bounded(request, most), max_files=1 + len(further), max_fields=10)
    parser.spool_max_size = most + MULTIPART_OVERHEAD + 1  # starlette's default writes files above 1 MB to disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _wanted(f"the form cannot be read: {error.message}") from error
    try:
        files = {name: form.get(name) for name in ("file", *further)}
        if not isinstance(files["file"], UploadFile):
            raise _wanted("the form has no such file")
        uploads = {
            name: (_base_name(upload.filename or ""), await upload.read())
            for name, upload in files.items()
            if isinstance(upload, UploadFile)
        }
    finally:
        await form.close()
    if sum(len(contents) for _, contents in uploads.values()) > most:
        raise _too_large(most)
    bounds = Most(settings.max_upload_lines, settings.upload_seconds)
    for name, contents in uploads.values():
        await run_in_threadpool(require_bounded, contents, name, bounds)
    return uploads


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The request's body in pieces, refused once it cannot be a form with a file of that size any more."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most + MULTIPART_OVERHEAD:
        raise _too_large(most)
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > most + MULTIPART_OVERHEAD:
            raise _too_large(most)
        yield piece


def _base_name(name: str) -> str:
    return PureWindowsPath(PurePosixPath(name).name).name[:200] or "upload.bed"


def _wanted(found: str) -> ConfigurationError:
    return ConfigurationError(
        f"Wanted a BED file in the field 'file' of a multipart form, but {found}.",
        "For instance: curl -F file=@peaks.bed ADDRESS",
    )


def _too_large(most: int) -> UploadTooLargeError:
    size = f"{most / 2**20:g} MiB" if most >= 2**20 else f"{most} bytes"
    return UploadTooLargeError(
        f"The file is larger than the {size} that this service takes.",
        "Keep the intervals that are needed, compress it with gzip, or raise BI2SCOPE_MAX_UPLOAD_BYTES.",
    )
