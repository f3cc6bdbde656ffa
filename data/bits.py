"""Comparisons of many numbers at once whose outcomes are single bits, for what numba compiles.

A processor compares a register of numbers with one instruction, but a loop that counts or collects the outcomes makes
of it one addition, or one store, for each number. Said in LLVM's own words it is a mask, on any processor.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

WIDTH: Final = 32
"""Numbers of one comparison: some registers full."""

PLACES_OF_BYTE: Final = np.asarray(
    [[bit for bit in range(8) if byte >> bit & 1] + [0] * (8 - byte.bit_count()) for byte in range(256)], np.uint8
).ravel()
"""Of every byte the places of the bits that are set, eight entries each, filled up with 0."""


def _bits_above(typing: Any, array: Any, start: Any, least: Any) -> Any:
    del typing, start, least

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
        data = struct(context, builder, arguments[0]).data
        vector, place = ir.VectorType(ir.FloatType(), WIDTH), ir.VectorType(ir.IntType(32), WIDTH)
        numbers = builder.load(builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer()))
        numbers.align = 4
        undefined = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        everywhere = builder.shuffle_vector(first, undefined, ir.Constant(place, [0] * WIDTH))
        above = builder.fcmp_ordered(">", numbers, everywhere)
        return builder.zext(builder.bitcast(above, ir.IntType(WIDTH)), ir.IntType(64))

    return types.uint64(array, types.intp, types.float32), code


def _lowest(typing: Any, bits: Any) -> Any:
    del typing, bits

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), code


def _number(typing: Any, bits: Any) -> Any:
    del typing, bits

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), code


def _put_places(typing: Any, table: Any, byte: Any, first: Any, places: Any, start: Any) -> Any:
    del typing, byte, first, start

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(at: int) -> Any:
            struct = cgutils.create_struct_proxy(signature.args[at])  # type: ignore[no-untyped-call]
            return struct(context, builder, arguments[at]).data

        whole, narrow, place = ir.IntType(64), ir.VectorType(ir.IntType(8), 8), ir.VectorType(ir.IntType(32), 8)
        row = builder.gep(data(0), [builder.mul(arguments[1], ir.Constant(whole, 8))])
        eight = builder.load(builder.bitcast(row, narrow.as_pointer()))
        eight.align = 1
        undefined = ir.Constant(place, ir.Undefined)
        one = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        everywhere = builder.shuffle_vector(one, undefined, ir.Constant(place, [0] * 8))
        target = builder.bitcast(builder.gep(data(3), [arguments[4]]), place.as_pointer())
        builder.store(builder.add(builder.zext(eight, place), everywhere), target).align = 4
        return context.get_dummy_value()

    return types.void(table, types.uint64, types.int32, places, types.intp), code


def _prefetch(typing: Any, array: Any, at: Any) -> Any:
    del typing, at

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
        byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(struct(context, builder, arguments[0]).data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        to_read, to_keep, data = (ir.Constant(whole, number) for number in (0, 3, 1))
        builder.call(function, [address, to_read, to_keep, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), code


bits_above: Any = intrinsic(_bits_above)
"""Bits, in a uint64, of which of the :data:`WIDTH` float32 numbers from ``start`` on are above ``least``.

The array must be contiguous and reach so far.
"""

lowest: Any = intrinsic(_lowest)
"""Place of the lowest bit that is set; one must be."""

number: Any = intrinsic(_number)
"""How many bits are set."""

put_places: Any = intrinsic(_put_places)
"""Write eight int32 from ``start`` on: first the places of the bits of a byte that are set, + ``first``, then anything.

Takes :data:`PLACES_OF_BYTE`, the byte, ``first``, the array and ``start``; the array must be contiguous and reach that
far.
"""

prefetch: Any = intrinsic(_prefetch)
"""Ask for the memory of one entry of a contiguous array, to be there when it is read; any place is allowed."""
