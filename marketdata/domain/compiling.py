"""How functions of the domain are compiled.

Only modules in packages called `kernels` compile, and nothing imports those before something is to
be computed: importing Numba takes longer than starting the rest. Where the machine code is kept is
decided by whoever sets NUMBA_CACHE_DIR before that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.core import types
from numba.extending import intrinsic

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return `function` compiled at its first call, the machine code kept on disk.

    Arithmetic is IEEE's, in the order it is written: no fast-math, and nothing fused but by
    `multiply_add`, so that a result has the same bits on every machine. Division by zero gives
    infinity or NaN instead of raising. The interpreter's lock is released while it runs.
    """
    made = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("Callable[_P, _R]", made)


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return `function` compiled as `compiled` does, and made part of every kernel that calls it.

    For what is called for every candle: passing arrays on costs more than such a function does.
    """
    made = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    return cast("Callable[_P, _R]", made)


def _fuse(_context: Any, _factor: Any, _value: Any, _addend: Any) -> tuple[Any, Any]:
    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_fused: Any = intrinsic(_fuse)


@compiled
def multiply_add(factor: float, value: float, addend: float) -> float:
    """Return factor * value + addend, rounded once; for kernels only."""
    result: float = _fused(factor, value, addend)
    return result
