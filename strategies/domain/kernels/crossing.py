"""Two exponential averages crossing, for several pairs of periods side by side."""

from __future__ import annotations

import numpy as np

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.smoothing import corrected, smooth
from strategies.domain.kernels.comparing import SAME
from strategies.domain.kernels.lanes import LANES, Codes, Floats, Integers, meeting, side_code


@compiled
def crossings(
    values: Floats,
    first: int,
    end: int,
    starts: Integers,
    fast: Integers,
    slow: Integers,
    codes: Codes,
) -> None:
    """Write the codes of `values[first:end]`, a stretch without a restart, for LANES pairs.

    Lane by lane the averages begin at `starts`, if that is within the stretch; then all go on
    together. 1 is above, 2 below, 0 neither; before a start nothing is written.
    """
    quick, late = np.zeros(LANES), np.zeros(LANES)
    weights, slower = 2.0 / (fast + 1), 2.0 / (slow + 1)
    together = meeting(first, end, starts, np.maximum(fast, slow))
    for lane in range(LANES):
        _begin(values, first, together, starts, fast, slow, codes, lane, quick, late)
    made = np.empty(LANES, np.int8)
    for index in range(together, end):
        value = values[index]
        for lane in range(LANES):
            quick[lane] = corrected(quick[lane], value, weights[lane])
            late[lane] = corrected(late[lane], value, slower[lane])
            difference, least = quick[lane] - late[lane], SAME * abs(late[lane])
            made[lane] = side_code(difference, least)
        for lane in range(LANES):
            codes[lane, index] = made[lane]


@compiled
def _begin(
    values: Floats,
    first: int,
    end: int,
    starts: Integers,
    fast: Integers,
    slow: Integers,
    codes: Codes,
    lane: int,
    quick: Floats,
    late: Floats,
) -> None:
    """Walk one lane up to `end` as the average by itself does, begun with a simple one."""
    begin = max(first, starts[lane])
    anchors = (values[begin], values[begin]) if begin < end else (0.0, 0.0)
    quick_anchor, late_anchor = anchors
    for index in range(begin, end):
        seen, value = index - begin, values[index]
        quick_anchor, quick[lane] = smooth(
            seen, quick_anchor, quick[lane], value, fast[lane], 2.0 / (fast[lane] + 1)
        )
        late_anchor, late[lane] = smooth(
            seen, late_anchor, late[lane], value, slow[lane], 2.0 / (slow[lane] + 1)
        )
        codes[lane, index] = 0
        if seen + 1 >= max(fast[lane], slow[lane]):
            difference, least = quick[lane] - late[lane], SAME * abs(late[lane])
            codes[lane, index] = side_code(difference, least)
