"""One uploaded file, bounded in size and held in memory: nothing of it touches the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import PurePosixPath, PureWindowsPath

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from bi2scope.data.errors import ConfigurationError
from bi2scope.server.errors import UploadTooLargeError

MULTIPART_OVERHEAD = 64 * 1024
"""What the form around a file may take beyond the file itself."""

FORM = {
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


async def read_upload(request: Request, most: int) -> tuple[str, bytes]:
    """Name and contents of the file in the form's field ``file``.

    Parameters
    ----------
    request
        A request with a multipart form.
    most
        Largest file taken, in bytes. A larger one is refused as soon as that is known.

    Raises
    ------
    UploadTooLargeError
        If the file is larger.
    ConfigurationError
        If there is no such form, field or file.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _wanted("the request has no form")
    parser = MultiPartParser(request.headers, _bounded(request, most), max_files=1, max_fields=10)
    parser.spool_max_size = most + MULTIPART_OVERHEAD + 1  # starlette's default writes files above 1 MB to disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _wanted(f"the form cannot be read: {error.message}") from error
    try:
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise _wanted("the form has no such file")
        name, contents = _base_name(upload.filename or ""), await upload.read()
    finally:
        await form.close()
    if len(contents) > most:
        raise _too_large(most)
    return name, contents


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
