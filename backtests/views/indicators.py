"""The indicators that a stored run decided by, computed anew and kept for the next window."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np

from backtests.charts.price import Seen
from backtests.loading import CandlesMoved, load_minutes
from backtests.models import Backtest
from backtests.requests import InvalidBacktest, Prepared, prepare
from backtests.runner import request_of
from marketdata.domain.timeframe import Timeframe
from marketdata.models import to_ms
from marketdata.storage import Held, day_versions, range_fingerprint
from strategies.domain.errors import StrategyError

_MOST: Final = 2
_CODE_CHANGED: Final = (
    "The strategy's code has changed since: its indicators may be others than then."
)
_REVISED: Final = (
    "Candles were revised since: they and the indicators are today's, fills and figures of then."
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was computed, with the versions of the days from `from_ms` on that it was made of."""

    from_ms: int
    versions: Mapping[int, int]
    seen: Seen


_kept: OrderedDict[int, _Kept] = OrderedDict()
_lock = Lock()


def seen_by_strategy(backtest: Backtest) -> Seen:
    """Return the indicators over the range of a backtest, as its strategy computes them now.

    Where code or candles, those of the warm-up too, are not those of the run, a note says so. A
    strategy that cannot be asked any more leaves no indicators, and a note.
    """
    with _lock:
        kept = _kept.get(backtest.pk)
    if kept is None or _versions(backtest, kept.from_ms) != kept.versions:
        kept = _computed(backtest)
    with _lock:
        _kept[backtest.pk] = kept
        _kept.move_to_end(backtest.pk)
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return kept.seen


def _versions(backtest: Backtest, from_ms: int) -> dict[int, int]:
    return day_versions(backtest.instrument, Timeframe.M1, from_ms, to_ms(backtest.end))


def _computed(backtest: Backtest) -> _Kept:
    from_ms = to_ms(backtest.start)
    # Taken first: candles that are written meanwhile are read again the next time.
    versions = _versions(backtest, from_ms)
    try:
        with prepare(request_of(backtest)) as prepared:
            from_ms = prepared.load_from_ms
            versions = _versions(backtest, from_ms)
            return _Kept(from_ms, versions, _seen(backtest, prepared, versions))
    except (InvalidBacktest, StrategyError, CandlesMoved) as error:
        nothing = np.empty(0, np.int64), np.empty(0), dict[str, np.ndarray]()
        note = f"Without the strategy's indicators: {error}."
        return _Kept(from_ms, versions, Seen(*nothing, note=note))


def _seen(backtest: Backtest, prepared: Prepared, versions: Mapping[int, int]) -> Seen:
    used = prepared.instrument, Timeframe.M1, prepared.load_from_ms, prepared.end_ms
    minutes = load_minutes(prepared.instrument, prepared.load_from_ms, prepared.end_ms)
    candles = prepared.engine.candles(minutes)
    indicators = prepared.strategy.get_indicators(candles)
    fingerprint = range_fingerprint(*used, Held(minutes.candles, versions)).hex()
    notes = [_CODE_CHANGED] if prepared.source_hash != backtest.source_hash else []
    # One that has no result yet has no fingerprint either.
    if backtest.fingerprint not in ("", fingerprint):
        notes.append(_REVISED)
    panes, note = prepared.strategy.get_panes(), " ".join(notes)
    return Seen(candles.close_times, candles.close, indicators, panes, note)
