"""The indicators that a stored run decided by, computed anew and kept for the next window."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

import numpy as np

from backtests.charts.price import Seen
from backtests.loading import CandlesMoved, load_minutes
from backtests.models import Backtest
from backtests.requests import InvalidBacktest, prepare
from backtests.runner import request_of
from marketdata.domain.timeframe import Timeframe
from marketdata.models import to_ms
from marketdata.storage import day_versions
from strategies.domain.errors import StrategyError

_MOST: Final = 2
_CHANGED: Final = "The strategy's code has changed since: its indicators may be others than then."
_kept: OrderedDict[tuple[int, int], Seen] = OrderedDict()
_lock = Lock()


def seen_by_strategy(backtest: Backtest) -> Seen:
    """Return the indicators over the range of a backtest, as its strategy computes them now.

    A strategy that cannot be asked any more leaves none, and a note.
    """
    span = to_ms(backtest.start), to_ms(backtest.end)
    versions = day_versions(backtest.instrument, Timeframe.M1, *span)
    key = backtest.pk, hash(tuple(sorted(versions.items())))
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    seen = _computed(backtest)
    with _lock:
        _kept[key] = seen
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return seen


def _computed(backtest: Backtest) -> Seen:
    try:
        with prepare(request_of(backtest)) as prepared:
            minutes = load_minutes(prepared.instrument, prepared.load_from_ms, prepared.end_ms)
            candles = prepared.engine.candles(minutes)
            indicators = prepared.strategy.get_indicators(candles)
            panes = prepared.strategy.get_panes()
            is_same = prepared.source_hash == backtest.source_hash
    except (InvalidBacktest, StrategyError, CandlesMoved) as error:
        nothing = np.empty(0, np.int64), np.empty(0), dict[str, np.ndarray]()
        return Seen(*nothing, note=f"Without the strategy's indicators: {error}.")
    note = "" if is_same else _CHANGED
    return Seen(candles.close_times, candles.close, indicators, panes, note)
