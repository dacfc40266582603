"""A store and an exchange in a few lines, to hold a stream's emissions against the whole tape."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from marketdata.domain.aggregation import aggregate_minutes, flat_minutes
from marketdata.domain.events import Emission, Resume
from marketdata.domain.records import (
    Candles,
    InstrumentSpec,
    Trades,
    empty_candles,
    empty_trades,
)
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.builders import BTC


def whole_minutes(tape: Trades, spec: InstrumentSpec = BTC) -> Candles:
    """Return every minute of `tape` but the last, which is not over, the quiet ones flat."""
    traded = aggregate_minutes(tape, spec)
    parts = []
    for candle, after in pairwise(traded):
        first_ms = int(candle["open_time_ms"]) + MINUTE_MS
        last_ms = int(after["open_time_ms"]) - MINUTE_MS
        parts += [np.array([candle]), flat_minutes(first_ms, last_ms, float(candle["close"]))]
    return np.concatenate(parts) if parts else empty_candles()


class Store:
    """Keeps what a stream hands out, and checks that nothing is handed out twice."""

    def __init__(self, spec: InstrumentSpec = BTC) -> None:
        self._spec = spec
        self._trades: dict[int, tuple] = {}
        self._candles: dict[int, tuple] = {}
        self.rebuilt = 0

    @property
    def trades(self) -> Trades:
        rows = [self._trades[trade_id] for trade_id in sorted(self._trades)]
        return np.array(rows, dtype=empty_trades().dtype)

    @property
    def candles(self) -> Candles:
        rows = [self._candles[open_ms] for open_ms in sorted(self._candles)]
        return np.array(rows, dtype=empty_candles().dtype)

    def keep(self, emission: Emission) -> Emission:
        assert not self._trades.keys() & set(emission.trades["trade_id"].tolist())
        assert not self._candles.keys() & set(emission.minutes["open_time_ms"].tolist())
        assert (np.diff(emission.trades["trade_id"]) > 0).all()
        assert (np.diff(emission.minutes["open_time_ms"]) > 0).all()
        self._trades |= {row["trade_id"].item(): row.item() for row in emission.trades}
        self._candles |= {row["open_time_ms"].item(): row.item() for row in emission.minutes}
        for open_ms in emission.rebuild:
            self._rebuild(open_ms)
        return emission

    def resume(self) -> Resume:
        trades, candles = self.trades, self.candles
        if not len(trades):
            return Resume()
        if not len(candles):
            return Resume(*_last(trades), None, None, trades)
        closed_ms, close = int(candles["open_time_ms"][-1]), float(candles["close"][-1])
        is_open = trades["time_ms"] >= closed_ms + MINUTE_MS
        return Resume(*_last(trades), close, closed_ms, trades[is_open])

    def _rebuild(self, open_ms: int) -> None:
        self.rebuilt += 1
        trades = self.trades
        minute = trades["time_ms"] // MINUTE_MS * MINUTE_MS
        if (minute == open_ms).any():
            (candle,) = aggregate_minutes(trades[minute == open_ms], self._spec)
        else:
            before = self._candles[open_ms - MINUTE_MS]
            (candle,) = flat_minutes(open_ms, open_ms, before[4])
        self._candles[open_ms] = candle.item()


def _last(trades: Trades) -> tuple[int, int]:
    return int(trades["trade_id"][-1]), int(trades["time_ms"][-1])
