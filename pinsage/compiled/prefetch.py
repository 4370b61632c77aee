"""A memory prefetch, as the processor has it."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_FOR_READING, _KEEP_IN_ALL_CACHES, _DATA = 0, 3, 1


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask the processor to fetch `array[index]` into its caches, and go on: `prefetch(array, index)`.

    The word is not read, so no index can fail; a loop that prefetches what the next loop reads keeps many cache misses
    in flight.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(fetch, [address, number(_FOR_READING), number(_KEEP_IN_ALL_CACHES), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)
