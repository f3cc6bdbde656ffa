"""Packed chunks of the store, verified and unpacked without the interpreter's lock, compiled by numba.

A chunk is the sizes of the unpacked chunk (8 bytes) and of a block (4 bytes), both big-endian; each block, as the size
of what follows (4 bytes, big-endian) and LZ4; what does not fill eight elements as it is; and Fletcher32 of all that,
which HDF5 adds. The blocks are unpacked by the library that packed them; only a chunk that fits its checksum, and whose
sizes fit one another, is given to it, so that it cannot be led beyond the chunk. To be imported where it is used.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from bi2scope.data.store.decoding import compiled, copy

_HEADER, _CHECKSUM = 12, 4
"""Bytes before and after what is packed."""

_MODULUS = np.uint64(65535)
_WORDS = 1 << 8
"""16-bit words whose sum, each weighted by its place from the end, fits 32 bits."""


class ChunkPlaces(NamedTuple):
    """Where the chunks of an array lie, packed, in the order of the array.

    Attributes
    ----------
    offset, size
        ``(n_chunks,)`` int64: first byte, and bytes; none of a chunk that is not there or has other filters.
    per_cell
        How many belong to one cell; 0 where cells do not begin with a chunk of their own.
    """

    offset: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    per_cell: int


class Source(NamedTuple):
    """Whence packed chunks come, and what unpacks them.

    Attributes
    ----------
    descriptor
        Of the open file; below 0 if the bytes are in memory already, in ``packed``.
    pread, unpack
        Addresses of the C functions ``pread`` and ``bshuf_decompress_lz4``. The latter takes the blocks, room for the
        chunk, its elements, the bytes of one, and the elements of a block; and gives the bytes that it took.
    packed
        ``(n_bytes,)`` uint8: the bytes, or room for those of one chunk.
    """

    descriptor: int
    pread: int
    unpack: int
    packed: npt.NDArray[np.uint8]


def _call_address(typing_context, function, arguments):  # type: ignore[no-untyped-def]
    """Call the C function at an address: so compiled code can be kept on disk, where addresses change."""
    whole = ir.IntType(64)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], ir.FunctionType(whole, [whole] * len(arguments)).as_pointer())
        return builder.call(pointer, [builder.extract_value(values[1], i) for i in range(len(arguments))])

    return types.int64(types.int64, arguments), generate


_call: Any = intrinsic(_call_address)


@compiled
def unpack_columns(source, places, begin, room, out):  # type: ignore[no-untyped-def]
    """Unpack consecutive chunks.

    Parameters
    ----------
    source, places
        The chunks.
    begin
        Number of the first chunk, and columns at its beginning to leave out.
    room
        ``(n_planes, chunk)`` for one chunk.
    out
        ``(n_planes, width)`` to fill; the last chunk may reach beyond.

    Returns
    -------
    Whether all of them were sound.
    """
    number, skipped = begin
    done = -skipped
    while done < out.shape[1]:
        if not unpack_chunk(source, places, number, room):
            return False
        first, stop = max(done, 0), min(done + room.shape[1], out.shape[1])
        for plane in range(out.shape[0]):
            copy(room[plane, first - done : stop - done], out[plane, first:stop])
        number, done = number + 1, done + room.shape[1]
    return True


@compiled
def unpack_chunk(source, places, number, room):  # type: ignore[no-untyped-def]
    """Unpack one chunk into ``(n_planes, chunk)``; whether it was there and sound."""
    if number < 0 or number >= len(places.size):
        return False
    offset, size = places.offset[number], places.size[number]
    if size <= 0 or size > len(source.packed):
        return False
    if source.descriptor < 0:
        packed = source.packed[offset : offset + size]
    else:
        packed = source.packed[:size]
        if _call(source.pread, (source.descriptor, np.int64(packed.ctypes.data), size, offset)) != size:
            return False
    item = room.itemsize
    block = _elements_of_block(packed, room.size * item, item)
    if block == 0:
        return False
    content, target = np.int64(packed.ctypes.data) + _HEADER, np.int64(room.ctypes.data)
    return _call(source.unpack, (content, target, room.size, item, block)) == size - _HEADER - _CHECKSUM


@compiled
def _elements_of_block(packed, n_bytes, size):  # type: ignore[no-untyped-def]
    """Elements that were shuffled together; 0 if the chunk misses its checksum or its sizes do not fit one another.

    Parameters
    ----------
    packed
        ``(n,)`` uint8, the chunk as it lies in the file.
    n_bytes, size
        Bytes of the unpacked chunk, and of an element.
    """
    end = len(packed) - _CHECKSUM
    if end < _HEADER or not _fits_checksum(packed, end) or _number(packed, 0, 8) != n_bytes:
        return 0
    block, n, at = _number(packed, 8, 4) // size, n_bytes // size, _HEADER
    if block == 0 or block % 8:
        return 0
    for _ in range(n // block + (n % block >= 8)):
        if at + 4 > end:
            return 0
        at += 4 + _number(packed, at, 4)
    return block if at + n % 8 * size == end else 0


@compiled
def _number(packed, at, length):  # type: ignore[no-untyped-def]
    number = np.int64(0)
    for i in range(at, at + length):
        number = (number << 8) | np.int64(packed[i])
    return number


@compiled
def _fits_checksum(packed, end):  # type: ignore[no-untyped-def]
    """Fletcher's checksum of big-endian 16-bit words, an odd last byte taken as the higher half of one."""
    first, second = np.uint64(0), np.uint64(0)
    words = packed[: end - end % 2].view(np.uint16)
    for start in range(0, len(words), _WORDS):
        here = words[start : start + _WORDS]
        n = len(here)
        plain, weighted = np.uint32(0), np.uint32(0)
        for i in range(n):
            value = np.uint32(np.uint16(here[i] << 8) | np.uint16(here[i] >> 8))
            plain = np.uint32(plain + value)
            weighted = np.uint32(weighted + np.uint32(value * np.uint32(n - i)))
        second = (second + np.uint64(n) * first + np.uint64(weighted)) % _MODULUS
        first = (first + np.uint64(plain)) % _MODULUS
    if end % 2:
        first = (first + np.uint64(packed[end - 1]) * np.uint64(256)) % _MODULUS
        second = (second + first) % _MODULUS
    stored_first = np.uint64(packed[end]) | np.uint64(packed[end + 1]) << np.uint64(8)
    stored_second = np.uint64(packed[end + 2]) | np.uint64(packed[end + 3]) << np.uint64(8)
    return first == stored_first % _MODULUS and second == stored_second % _MODULUS
