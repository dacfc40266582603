"""Figures of many runs over the same minutes, without what charts would need."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import MarketMinutes
from backtests.domain.metrics import midnights, swept_account
from backtests.domain.records import (
    CHANGE,
    MINUTE,
    PPM,
    UNCHANGED,
    VALUE,
    Events,
    Integers,
    new_events,
    new_state,
)
from backtests.domain.result import figures_of
from backtests.domain.roundtrips import round_trips
from backtests.domain.units import check_fits
from marketdata.domain.series import Series
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from strategies.domain.lanes import Codes

_FEWEST_EVENTS: Final = 1 << 14


class Sweeper:
    """Runs targets over the minutes of one span; what depends on the minutes alone is kept."""

    def __init__(self, engine: BacktestingEngine, minutes: MarketMinutes) -> None:
        """Raises ValueError for a span without a minute, and TooLarge."""
        # Imported at the first use: importing Numba takes longer than starting a web process.
        from backtests.domain.kernels.sweeping import BLOCK, blocks_of

        if not len(minutes):
            raise ValueError("expected at least one minute; there was none")
        self._engine, self.minutes = engine, minutes
        self._cash = engine.units.cash_to_units(engine.trading.cash)
        check_fits(engine.units, minutes.highest_tick, self._cash)
        self._closing = minutes.candles.open_time_ms + MINUTE_MS
        self._marks = midnights(self._closing)
        blocks = len(minutes) // BLOCK
        extremes = np.empty(blocks, np.int64), np.empty(blocks, np.int64)
        blocks_of(minutes.closes, *extremes)
        course = (minutes.closes, *extremes, self._marks.astype(np.int64))
        self._course = tuple(column.view(VALUE) for column in course)
        self._beside = _side_by_side(minutes)
        self._events: Events = new_events(_FEWEST_EVENTS)

    def figures(self, decisions: Integers) -> dict[str, float | None]:
        """Return every metric of a run with a decision, or UNCHANGED, at each minute."""
        places = turns(decisions)
        return self._swept(places, decisions[places])

    def figures_of_lane(
        self, codes: Codes, candles: Series, targets: tuple[float, float]
    ) -> dict[str, float | None]:
        """Return the same for a code after each candle; `targets` are those of ABOVE and BELOW."""
        values = np.array([UNCHANGED, *(round(target * PPM) for target in targets)], np.int64)
        by_minute = self._by_minute(codes, candles)
        places = turns(by_minute)
        return self._swept(places, values[by_minute[places]])

    def _by_minute(self, codes: Codes, candles: Series) -> Codes:
        """Return the code at the minute with which each candle closes, as `minute_decisions`."""
        times = self.minutes.candles.open_time_ms
        if candles.timeframe == Timeframe.M1:
            return codes[len(codes) - len(times) :]
        made = np.flatnonzero(codes)
        places = np.searchsorted(times, candles.close_times[made] - MINUTE_MS, side="right") - 1
        inside = places >= 0
        by_minute = np.zeros(len(times), np.int8)
        by_minute[places[inside]] = codes[made[inside]]
        return by_minute

    def _swept(self, places: Any, targets: Integers) -> dict[str, float | None]:
        """Return the metrics of a run with `targets` from the minutes at `places` on."""
        from backtests.domain.kernels.sweeping import sweep

        engine, minutes = self._engine, self.minutes
        wanted = np.empty(len(places), CHANGE)
        wanted["index"], wanted["target"] = places, targets
        days = np.empty(len(self._marks), np.int64)
        while True:
            state = new_state(self._cash)
            columns: Any = (*self._course, days.view(VALUE))
            count, depth = sweep(state, engine.rules, self._beside, wanted, columns, self._events)
            if count >= 0:
                break
            self._events = new_events(4 * len(self._events))
        account = swept_account(
            start=self._cash,
            end=int(state["equity"][0]),
            times_ms=self._closing,
            days=days,
            depth=depth,
            trips=round_trips(self._events[:count], engine.rules.cash_per_tick_lot),
            closes=minutes.closes,
            stop_share=engine.rules.stop_loss / 1_000_000,
        )
        return figures_of(account, engine.units)


def turns(by_minute: NDArray[Any]) -> NDArray[np.intp]:
    """Return the place of the first, and of each that is another than the one before."""
    return np.append(0, np.flatnonzero(by_minute[1:] != by_minute[:-1]) + 1)


def _side_by_side(minutes: MarketMinutes) -> NDArray[np.void]:
    """Return the minutes as records.

    A sweep looks at few of them, and each column apart would be a line of the processor's cache
    more for each.
    """
    found = np.empty(len(minutes), MINUTE)
    found["time_ms"], found["traded"] = minutes.candles.open_time_ms, minutes.traded
    found["open"], found["high"] = minutes.opens, minutes.highs
    found["low"], found["close"] = minutes.lows, minutes.closes
    return found
