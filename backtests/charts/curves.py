"""Equity against buy and hold, and how far below its best: as columns of few points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.domain.drawdown import underwater
from backtests.domain.records import Integers
from backtests.domain.thinning import thinned
from backtests.domain.units import Units


def curves(
    times_ms: Integers,
    equity: Integers,
    closes: Integers,
    *,
    units: Units,
    start: int,
    span: tuple[int, int],
    most: int,
) -> dict[str, Any]:
    """Return the columns of [start, end] of `span` at no more than `most` minutes.

    `time` are close times; `equity` and `hold`, what holding from the first close on would have
    come to, are in quote currency, `drawdown` is a share at or below 0. Extremes stay.
    """
    fallen = underwater(equity, start)
    first = max(int(np.searchsorted(times_ms, span[0])) - 1, 0)
    end = min(int(np.searchsorted(times_ms, span[1], side="right")) + 1, len(times_ms))
    shown = first + _places(equity[first:end], fallen[first:end], most)
    cash = float(units.cash)
    hold = closes[shown] / closes[0] * start if closes[0] > 0 else np.full(len(shown), np.nan)
    return {
        "time": times_ms[shown],
        "equity": equity[shown] * cash,
        "hold": hold * cash,
        "drawdown": -fallen[shown],
    }


def kept_curves(curve: dict[str, Any], start: float) -> dict[str, Any]:
    """Return the same of the thinned curve that is stored with a result's figures."""
    equity = np.asarray(curve["equity"], dtype=np.float64)
    price = np.asarray(curve["price"], dtype=np.float64)
    best = np.maximum.accumulate(np.maximum(equity, start))
    return {
        "time": curve["time_ms"],
        "equity": equity,
        "hold": price / price[0] * start if len(price) and price[0] > 0 else price * np.nan,
        "drawdown": equity / best - 1.0,
    }


def _places(equity: Integers, fallen: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    if len(equity) <= most:
        return np.arange(len(equity))
    half = max(most // 2, 4)
    # The deepest fall of a part is not always its lowest equity.
    deep = thinned((fallen * 1e9).astype(np.int64), half)
    return np.unique(np.concatenate([thinned(equity, half), deep]))
