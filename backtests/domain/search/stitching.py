"""Tests of several windows put together, and how much worse they are than what was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtests.domain.metrics import Account, account
from backtests.domain.metrics.account import held_ms
from backtests.domain.result import BacktestResult
from backtests.domain.thinning import thinned

Metrics = Mapping[str, float | None]


def stitched(results: Sequence[BacktestResult]) -> Account:
    """Return one account that goes through all windows, each taking up what the last one left.

    Every window began with the same balance and flat; its equity is scaled to the one before. The
    round trips are those that were traded, with profits as they were then.
    """
    start = results[0].start_cash
    worth, parts = float(start), []
    for result in results:
        parts.append(np.rint(result.equity * (worth / result.start_cash)).astype(np.int64))
        worth = float(parts[-1][-1])
    whole = account(
        start=start,
        times_ms=np.concatenate([result.close_times for result in results]),
        equity=np.concatenate(parts),
        trips=np.concatenate([result.round_trips for result in results]),
        closes=np.concatenate([result.closes for result in results]),
        stop_share=results[0].rules.stop_loss / 1_000_000,
    )
    # What is open at the end of a window is not held into the next, which begins flat.
    held = (held_ms(one.round_trips, int(one.close_times[-1])) for one in results)
    return replace(whole, held_ms=sum(held))


def curve_of(whole: Account, cash: float, most: int) -> dict[str, Any]:
    """Return at most `most` points of an account's equity; `cash` is what a unit is worth."""
    shown = thinned(whole.equity, most)
    return {
        "time_ms": whole.times_ms[shown].tolist(),
        "equity": (whole.equity[shown] * cash).tolist(),
    }


def decay(
    pairs: Sequence[tuple[Metrics, Metrics]],
    days: Sequence[tuple[float, float]],
    objective: str,
) -> dict[str, float | None]:
    """Return how the chosen did inside and outside of what they were chosen by.

    `pairs` are the metrics in and out of sample and `days` the lengths of both, by window. The
    efficiency is the daily growth outside over that inside (Pardo, 2008): 1 keeps everything that
    was found, 0 nothing. None where it is unknown.
    """
    inside = _mean([one.get(objective) for one, _ in pairs])
    outside = _mean([other.get(objective) for _, other in pairs])
    grown = [
        _growth([(pair[side], length[side]) for pair, length in zip(pairs, days, strict=True)])
        for side in (0, 1)
    ]
    is_known = grown[0] is not None and grown[1] is not None and grown[0] > 0
    return {
        "inside": inside,
        "outside": outside,
        "daily_inside": grown[0],
        "daily_outside": grown[1],
        "efficiency": grown[1] / grown[0] if is_known else None,  # type: ignore[operator]
    }


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return Spearman's correlation of two columns, equal values sharing their rank.

    1 when who is better in one is better in the other; None below three rows or without an order.
    """
    if len(left) < 3:
        return None
    one, other = (_ranks(np.asarray(column, np.float64)) for column in (left, right))
    if float(np.std(one)) == 0 or float(np.std(other)) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: NDArray[np.float64] = ends - (counts - 1) / 2
    return middles[places]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _growth(told: Sequence[tuple[Metrics, float]]) -> float | None:
    """Return the mean growth of a day, as its logarithm; None where everything was lost."""
    total, days = 0.0, 0.0
    for metrics, length in told:
        grown = metrics.get("total_return")
        if grown is None or grown <= -1.0:
            return None
        total, days = total + math.log1p(grown), days + length
    return total / days if days > 0 else None
