"""Where the trailing stop of a position was, as the execution kernel moves it."""

from __future__ import annotations

import numpy as np

from backtests.domain.records import Integers


def trailing_levels(entry: int, reached: Integers, shares: Integers, *, is_long: bool) -> Integers:
    """Return the stop of a position in ticks: at its entry, then when each minute closed; 0: none.

    `entry` is the tick of the first fill: those that enlarge the position do not move the stop.
    `reached` are the highest ticks of the minutes, the lowest of a short one, and `shares`, one
    more than those, the setting in millionths at the entry and in each minute; 0 where it was off.
    """
    # Imported at the first use: importing Numba takes longer than starting a web process.
    from bots.domain.kernels.trailing import follow

    levels = np.empty(len(shares), np.int64)
    # What was switched on later has seen no entry.
    best = entry if shares[0] > 0 else 0
    follow(best, np.append(best, reached), shares, is_long, levels)
    return levels
