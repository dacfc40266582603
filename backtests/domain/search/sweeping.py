"""Figures of many runs over the same minutes, without what charts would need."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import MarketMinutes
from backtests.domain.metrics import midnights, swept_account
from backtests.domain.records import (
    PPM,
    UNCHANGED,
    Events,
    Integers,
    Minutes,
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
_NO_CODES: Final = np.zeros(0, np.int8)
_NO_VALUES: Final = np.zeros(0, np.int64)


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
        self._highs, self._lows = np.empty(blocks, np.int64), np.empty(blocks, np.int64)
        blocks_of(minutes.closes, self._highs, self._lows)
        # Side by side: a sweep looks at few minutes, and each column apart would be a line of the
        # processor's cache more for each of them.
        beside = np.column_stack((minutes.opens, minutes.highs, minutes.lows, minutes.traded))
        self._beside = np.ascontiguousarray(beside, np.int64)
        self._events: Events = new_events(_FEWEST_EVENTS)

    def figures(self, decisions: Integers) -> dict[str, float | None]:
        """Return every metric of a run with a decision, or UNCHANGED, at each minute."""
        return self._swept(decisions, _NO_CODES, _NO_VALUES)

    def figures_of_lane(
        self, codes: Codes, candles: Series, targets: tuple[float, float]
    ) -> dict[str, float | None]:
        """Return the same for a code after each candle; `targets` are those of ABOVE and BELOW."""
        values = np.array([UNCHANGED, *(round(target * PPM) for target in targets)], np.int64)
        return self._swept(_NO_VALUES, self._by_minute(codes, candles), values)

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

    def _swept(
        self, decisions: Integers, codes: Codes, values: Integers
    ) -> dict[str, float | None]:
        from backtests.domain.kernels.sweeping import sweep

        engine, minutes = self._engine, self.minutes
        columns = Minutes(
            times=minutes.candles.open_time_ms,
            opens=self._beside[:, 0],
            highs=self._beside[:, 1],
            lows=self._beside[:, 2],
            traded=self._beside[:, 3],  # type: ignore[arg-type]
            closes=minutes.closes,
            targets=decisions,
        )
        extremes = self._highs, self._lows
        days = np.empty(len(self._marks), np.int64)
        while True:
            state = new_state(self._cash)
            wanted: tuple[Any, ...] = (codes, values, *extremes, self._marks, days, self._events)
            count, depth = sweep(state, engine.rules, columns, *wanted)
            if count >= 0:
                break
            self._events = new_events(4 * len(self._events))
        unit = engine.rules.cash_per_tick_lot
        account = swept_account(
            start=self._cash,
            end=int(state["equity"][0]),
            times_ms=self._closing,
            days=days,
            depth=depth,
            trips=round_trips(self._events[:count], unit),
            cash_per_tick_lot=unit,
            closes=minutes.closes,
            stop_share=engine.rules.stop_loss / 1_000_000,
        )
        return figures_of(account, engine.units)
