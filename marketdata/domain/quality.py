"""What is wrong with candles, and which minutes are not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidRecord
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

_PRICES: Final = ("open", "high", "low", "close")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a candle breaks. `row` counts from 0."""

    row: int
    reason: str


def missing_minutes(candles: Candles, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return the stretches [start, end) of whole minutes in [start_ms, end_ms) that are missing.

    `candles` are 1m candles in order of open time; one with trades missing counts as missing.
    """
    first, stop = -(-start_ms // MINUTE_MS), end_ms // MINUTE_MS
    minute = candles["open_time_ms"][candles["minutes"] > 0] // MINUTE_MS
    minute = minute[(minute >= first) & (minute < stop)]
    edges = np.concatenate(([first - 1], minute, [max(stop, first)]))
    before = np.flatnonzero(np.diff(edges) > 1)
    return [
        (int(edges[row] + 1) * MINUTE_MS, int(edges[row + 1]) * MINUTE_MS)
        for row in before.tolist()
    ]


def check_candles(candles: Candles, timeframe: Timeframe = Timeframe.M1) -> None:
    """Raise InvalidRecord, naming rows and reasons, unless every candle is sound.

    See `candle_faults` for the rules.
    """
    faults = candle_faults(candles, timeframe)
    if faults:
        shown = "; ".join(f"row {fault.row}: {fault.reason}" for fault in faults[:_SHOWN])
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise InvalidRecord(shown + more)


def candle_faults(candles: Candles, timeframe: Timeframe = Timeframe.M1) -> list[Fault]:
    """Return every broken rule, ordered by row; nothing for sound candles.

    Prices are finite and above zero, the high is the highest and the low the lowest of them,
    volumes are finite and not negative, open times lie on the grid of `timeframe` (UTC) and rise.
    """
    high, low = candles["high"], candles["low"]
    time_ms = candles["open_time_ms"]
    steps = np.diff(time_ms, prepend=time_ms[:1] - 1)
    rules: list[tuple[str, NDArray[np.bool_]]] = [
        *((f"{name} is not a price above zero", _is_no_price(candles[name])) for name in _PRICES),
        *((f"high is below {name}", high < candles[name]) for name in ("open", "low", "close")),
        *((f"low is above {name}", low > candles[name]) for name in ("open", "close")),
        *(
            (f"{name} is not a number from zero up", _is_no_volume(candles[name]))
            for name in ("volume", "quote_volume")
        ),
        (f"open time is not on the grid of {timeframe}", time_ms % timeframe.ms != 0),
        ("open time is the same as in the row before", steps == 0),
        ("open time is earlier than in the row before", steps < 0),
    ]
    faults = [
        Fault(row, reason) for reason, broken in rules for row in np.flatnonzero(broken).tolist()
    ]
    return sorted(faults, key=lambda fault: fault.row)


def _is_no_price(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return ~(np.isfinite(values) & (values > 0))


def _is_no_volume(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return ~(np.isfinite(values) & (values >= 0))
