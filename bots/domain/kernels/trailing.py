"""How a trailing stop follows the price, told again from what it followed."""

from __future__ import annotations

from backtests.domain.kernels.orders import lowered, raised
from backtests.domain.records import Integers
from marketdata.domain.compiling import compiled


@compiled
def follow(best: int, reached: Integers, shares: Integers, is_long: bool, levels: Integers) -> None:
    """Fill `levels` beside the minutes; where the stop is switched off it stays where it is."""
    level = 0
    for index in range(len(reached)):
        share = shares[index]
        if share > 0:
            if is_long:
                best = max(best, reached[index])
            else:
                best = reached[index] if best == 0 else min(best, reached[index])
            level = lowered(best, share) if is_long else raised(best, share)
        levels[index] = level
