"""Indicators of volume."""

from __future__ import annotations

from typing import Final

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.types import Floats

_HOUR_MS: Final = 3_600_000.0
# 1970-01-05 00:00 UTC, so that a session of 168 hours is a week that begins on Monday.
_FIRST_MONDAY_MS: Final = 4 * 24 * _HOUR_MS


@compiled
def obv(closes: Floats, volumes: Floats, state: Floats, balances: Floats) -> None:
    """Write on-balance volume. State: seen, last close, sum, what rounding took from the sum."""
    seen, last, total, lost = state[0], state[1], state[2], state[3]
    for index in range(len(closes)):
        change = volumes[index]
        if seen > 0 and closes[index] <= last:
            change = -change if closes[index] < last else 0.0
        # Neumaier's compensated sum: there is no window that would bound the error.
        longer = total + change
        if abs(total) >= abs(change):
            lost += (total - longer) + change
        else:
            lost += (change - longer) + total
        total, last = longer, closes[index]
        seen += 1
        balances[index] = total + lost
    state[0], state[1], state[2], state[3] = seen, last, total, lost


@compiled
def vwap(
    open_times_ms: Floats,
    highs: Floats,
    lows: Floats,
    closes: Floats,
    volumes: Floats,
    hours: int,
    state: Floats,
    averages: Floats,
) -> None:
    """Write the session's volume-weighted average of typical prices.

    State: seen, session, anchor, volume, volume times the differences from the anchor, which is the
    first typical price of the session at which something was traded.
    """
    seen, session, anchor, traded, weighted = state[0], state[1], state[2], state[3], state[4]
    for index in range(len(closes)):
        typical = (highs[index] + lows[index] + closes[index]) / 3
        current = (open_times_ms[index] - _FIRST_MONDAY_MS) // (hours * _HOUR_MS)
        if seen == 0 or current != session:
            session, traded, weighted = current, 0.0, 0.0
        if traded == 0:
            anchor = typical
        traded += volumes[index]
        weighted += volumes[index] * (typical - anchor)
        averages[index] = anchor + weighted / traded if traded > 0 else typical
        seen += 1
    state[0], state[1], state[2], state[3], state[4] = seen, session, anchor, traded, weighted
