"""Where indicators begin anew: the one rule for candles that are missing.

An indicator sees the closed candles there are, in order of time. A minute in which nothing was
traded is a flat candle, and counts like any other. Where candles are missing, a short gap is walked
over as if its neighbours were adjacent; after a longer one the state restarts, because what an
average remembers from before says nothing about what comes after.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidCandles

LONGEST_GAP: Final = 10
"""The most missing candles in a row that an indicator walks over."""


class Segment(NamedTuple):
    """The candles from index `start` to before `end`; `is_new` if the state restarts there."""

    start: int
    end: int
    is_new: bool


def segments(
    open_times_ms: NDArray[np.int64],
    step_ms: int,
    *,
    after_ms: int | None = None,
    longest_gap: int = LONGEST_GAP,
) -> list[Segment]:
    """Return the stretches of candles of length `step_ms` that are walked without a restart.

    `after_ms` is the open time of the candle before the first; None if the walk begins here. Raises
    InvalidCandles unless every candle opens at least `step_ms` after the one before.
    """
    if not len(open_times_ms):
        return []
    limit_ms = (longest_gap + 1) * step_ms
    wait_ms = None if after_ms is None else int(open_times_ms[0]) - after_ms
    shortest_ms, late = _waits(open_times_ms, limit_ms)
    shortest_ms = min(shortest_ms, step_ms if wait_ms is None else wait_ms)
    if shortest_ms < step_ms:
        raise InvalidCandles(
            f"expected candles in order of time, at least {step_ms} ms apart; "
            f"two are {shortest_ms} ms apart"
        )
    starts = [0]
    if late:
        starts += (np.flatnonzero(np.diff(open_times_ms) > limit_ms) + 1).tolist()
    is_begun = wait_ms is not None and wait_ms <= limit_ms
    ends = [*starts[1:], len(open_times_ms)]
    return [
        Segment(start, end, is_new=start > 0 or not is_begun)
        for start, end in zip(starts, ends, strict=True)
    ]


def _waits(open_times_ms: NDArray[np.int64], limit_ms: int) -> tuple[int, int]:
    # Imported at the first use, as the other kernels are. Most series have no long gap, so one
    # pass without temporary arrays is all it takes.
    from marketdata.domain.indicators.kernels.checking import shortest_and_late

    return shortest_and_late(open_times_ms, limit_ms)
