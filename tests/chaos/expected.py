"""What must be stored of a market, computed by the domain alone from the market's own matches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from marketdata.domain.aggregation import aggregate_minutes, flat_minutes
from marketdata.domain.fingerprint import combine, fingerprint
from marketdata.domain.records import TRADE_DTYPE, Candles, InstrumentSpec, Side, Trades
from marketdata.domain.resampling import resample_all
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from tests.chaos.scenes import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """All trades of a stretch, and the candles of its whole minutes, flat ones included."""

    trades: Trades
    candles: dict[Timeframe, Candles]

    def fingerprint(self, timeframe: Timeframe) -> bytes:
        """Return what the store must say of the candles."""
        candles = self.candles[timeframe]
        days = candles["open_time_ms"] // DAY_MS
        return combine(fingerprint(candles[days == day]) for day in np.unique(days))


def expected_of(scene: Scene, spec: InstrumentSpec) -> Expected:
    """Return what is to be stored of an instrument when all of the scene was collected."""
    trades = _trades(scene, spec.symbol, scene.start_ms, scene.end_ms)
    before = _trades(scene, spec.symbol, scene.start_ms - DAY_MS, scene.start_ms)
    minutes = _with_flat_minutes(aggregate_minutes(trades, spec), before, scene)
    higher = resample_all(minutes, spec)
    closed = {
        timeframe: candles[candles["open_time_ms"] + timeframe.ms <= scene.end_ms]
        for timeframe, candles in higher.items()
    }
    return Expected(trades, {Timeframe.M1: minutes, **closed})


def _trades(scene: Scene, symbol: str, start_ms: int, end_ms: int) -> Trades:
    matches = scene.market.matches(symbol, start_ms - 1, end_ms - 1)
    instrument = scene.market.instruments[symbol]
    trades = np.zeros(len(matches), dtype=TRADE_DTYPE)
    trades["trade_id"], trades["time_ms"], trades["count"] = matches.ids, matches.times, 1
    trades["price"] = [float(instrument.price(ticks)) for ticks in matches.ticks.tolist()]
    trades["size"] = [float(instrument.size(lots)) for lots in matches.lots.tolist()]
    trades["side"] = np.where(matches.buys, Side.BUY, Side.SELL)
    return trades


def _with_flat_minutes(candles: Candles, before: Trades, scene: Scene) -> Candles:
    """Put flat candles where there was no trade; the close of `before` is the first one's."""
    close = [float(price) for price in before["price"][-1:]]
    opens = candles["open_time_ms"].tolist()
    first_ms = scene.start_ms if close else opens[0]
    edges = [first_ms - MINUTE_MS, *opens, scene.end_ms]
    closes = [*(close or [0.0]), *candles["close"].tolist()]
    pieces = []
    for row, (after_ms, edge_ms) in enumerate(pairwise(edges)):
        pieces += [flat_minutes(after_ms + MINUTE_MS, edge_ms - MINUTE_MS, closes[row])]
        pieces += [candles[row : row + 1]]
    return np.concatenate(pieces)
