"""The same values a candle at a time: small states that JSON gives back to the last bit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from marketdata.domain.indicators import IndicatorState, advance, begin
from marketdata.domain.indicators.base import Floats
from marketdata.domain.records import CANDLE_DTYPE, Candles
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.uses import Use, is_after_long_gap

Stored = dict[str, Any]

# What a longer candle is made of here. Its volume is left out: the exact sum needs all its candles.
_PRICES: Final = ("open_time_ms", "open", "high", "low", "close")


def begin_uses(uses: Sequence[Use]) -> Stored:
    """Return the state of `uses` before the first candle.

    Raises ValueError for an indicator of volume on a longer timeframe.
    """
    for use in uses:
        if use.timeframe is not None and not set(use.indicator.inputs) <= set(_PRICES):
            raise ValueError(f"{use.key} needs volume, which steps of a longer timeframe lack")
    return {
        "uses": [_begun(use) for use in uses],
        "forming": {use.timeframe: None for use in uses if use.timeframe is not None},
    }


def step_uses(
    uses: Sequence[Use], state: Mapping[str, Any], candle: Series
) -> tuple[Stored, dict[str, float]]:
    """Return the state and the values by name after the next candle, a series of one."""
    forming, closed = {}, {}
    for name, candles in state["forming"].items():
        forming[name], closed[name] = _grown(candles, candle, Timeframe(name))
    stored, values = [], {}
    for use, one in zip(uses, state["uses"], strict=True):
        series = candle if use.timeframe is None else closed[use.timeframe]
        after = one if series is None else _advanced(use, one, series)
        stored.append(after)
        for name in use.names:
            shown = after["shown"][name]
            values[name] = math.nan if shown is None else shown
    return {"uses": stored, "forming": forming}, values


def _begun(use: Use) -> Stored:
    empty = dict.fromkeys(use.names)
    return {
        "indicator": begin(use.indicator, use.params).as_json(),
        "newest": empty,
        "shown": empty,
    }


def _advanced(use: Use, stored: Mapping[str, Any], candle: Series) -> Stored:
    """Return the state after one closed candle of the use's own timeframe."""
    step_ms = candle.timeframe.ms
    state = IndicatorState.from_json(stored["indicator"])
    is_new = is_after_long_gap(state.last_open_ms, int(candle.open_times[0]), step_ms)
    outputs, state = advance(use.indicator, candle.rows, use.params, state, step_ms=step_ms)
    newest = {name: _number(outputs[output]) for name, output in use.names.items()}
    previous = dict.fromkeys(use.names) if is_new else stored["newest"]
    return {
        "indicator": state.as_json(),
        "newest": newest,
        "shown": previous if use.is_before else newest,
    }


def _grown(
    forming: Mapping[str, Any] | None, candle: Series, timeframe: Timeframe
) -> tuple[Stored | None, Series | None]:
    """Return what is known of the forming longer candle, and the candle if it has just closed."""
    row = candle.rows[0]
    open_ms = timeframe.open_time(int(row["open_time_ms"]))
    if forming is None or forming["open_time_ms"] != open_ms:
        grown = {name: row[name].item() for name in (*_PRICES, "minutes")}
        grown["open_time_ms"] = open_ms
    else:
        grown = {
            "open_time_ms": open_ms,
            "open": forming["open"],
            "high": max(forming["high"], row["high"].item()),
            "low": min(forming["low"], row["low"].item()),
            "close": row["close"].item(),
            "minutes": forming["minutes"] + row["minutes"].item(),
        }
    is_whole = grown["minutes"] == timeframe.minutes
    return grown, Series(timeframe, candle.spec, _rows(grown)) if is_whole else None


def _rows(values: Mapping[str, Any]) -> Candles:
    rows = np.zeros(1, dtype=CANDLE_DTYPE)
    for name, value in values.items():
        rows[name] = value
    return rows


def _number(values: Floats) -> float | None:
    # JSON has no NaN.
    value = float(values[0])
    return None if math.isnan(value) else value
