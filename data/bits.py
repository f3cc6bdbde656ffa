"""Comparisons of many numbers at once whose outcomes are single bits, for what numba compiles.

A processor compares a register of numbers with one instruction, but a loop that counts or collects the outcomes makes
of it one addition, or one store, for each number. Said in LLVM's own words it is a mask, on any processor.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

WIDTH: Final = 32
"""Numbers of one comparison: some registers full."""


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


bits_above: Any = intrinsic(_bits_above)
"""Bits, in a uint64, of which of the :data:`WIDTH` float32 numbers from ``start`` on are above ``least``.

The array must be contiguous and reach so far.
"""

lowest: Any = intrinsic(_lowest)
"""Place of the lowest bit that is set; one must be."""

number: Any = intrinsic(_number)
"""How many bits are set."""
