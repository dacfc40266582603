"""Records by their place: what a minute's halves are handed instead of arrays.

Numba counts references to arrays in atomic steps, at each call that hands one on; in a sweep that
took longer than the orders themselves. A record by reference is a bare address.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic


def _behind(_context: Any, records: Any, count: Any) -> tuple[Any, Any]:
    is_array = isinstance(records, types.Array)
    record = records.dtype if is_array else records

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, places = arguments
        if is_array:
            first = context.make_array(records)(context, builder, first).data
        return builder.gep(first, [places])

    return record(records, types.intp), generate


behind: Any = intrinsic(_behind)
"""The record `count` places behind the first one of `records`: an array in one piece, or the
reference of its first record. Nothing checks that it is there."""
