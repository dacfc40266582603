"""The end of a search: the best are tested on candles that chose nothing, and luck is measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from django.db.models import Count, FloatField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from backtests.domain.metrics import Account
from backtests.domain.metrics.returns import YEAR_DAYS
from backtests.domain.result import BacktestResult, figures_of
from backtests.domain.search.deflated import deflated_sharpe
from backtests.domain.search.montecarlo import growths, monte_carlo
from backtests.domain.search.stitching import curve_of, decay, rank_correlation, stitched
from backtests.domain.search.windows import Window
from backtests.models import Search, Trial
from backtests.searching.evaluating import Trials
from backtests.storage.trials import best_trials
from marketdata.domain.timeframe import DAY_MS

TESTED: Final = 20
"""Trials that are tested out of sample where there is one window; of several, the best of each."""

CURVE_POINTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Summed:
    """What came out, for JSON, and the trials that were tested, with their figures outside."""

    summary: dict[str, Any]
    tested: list[Trial]


def summed_up(search: Search, trials: Trials, check: Callable[[], None]) -> Summed:
    """Return what a search came to. `check` is called between runs and may raise to end."""
    counts = dict(search.trials.values_list("state").annotate(Count("id")).order_by())
    summary: dict[str, Any] = {
        "trials": {state: counts.get(state, 0) for state in Trial.State.values},
        "best": [],
        "deflated_sharpe": None,
        "monte_carlo": None,
        "decay": None,
        "walk_forward": None,
    }
    forward = search.validation == Search.Validation.WALK_FORWARD
    sums = _forward if forward else _single
    return Summed(summary, sums(search, trials, check, summary))


def _single(
    search: Search, trials: Trials, check: Callable[[], None], summary: dict[str, Any]
) -> list[Trial]:
    """Test the best of the one window, and measure the luck of the very best."""
    window = Window.from_json(search.windows[0])
    best = best_trials(search, 0, TESTED)
    if not best:
        return []
    inside = trials.result(best[0].parameters, window.train)
    summary["deflated_sharpe"] = _deflated(search, inside.account)
    summary["monte_carlo"] = {"inside": _played(search, inside), "outside": None}
    if window.test is not None:
        for trial in best:
            check()
            outside = trials.result(trial.parameters, window.test)
            trial.outside = outside.metrics()
            if trial is best[0]:
                summary["monte_carlo"]["outside"] = _played(search, outside)
        summary["decay"] = _decay(search, [best[0]], [window])
        summary["decay"]["rank_correlation"] = _kept_order(search, best)
    summary["best"] = [_told(trial) for trial in best]
    return best if window.test is not None else []


def _forward(
    search: Search, trials: Trials, check: Callable[[], None], summary: dict[str, Any]
) -> list[Trial]:
    """Test the best of each window, and put the tests together."""
    windows = [Window.from_json(stored) for stored in search.windows]
    chosen: list[Trial] = []
    used: list[Window] = []
    results: list[BacktestResult] = []
    for number, window in enumerate(windows):
        check()
        for trial in best_trials(search, number, 1):
            result = trials.result(trial.parameters, window.test or window.train)
            trial.outside = result.metrics()
            chosen.append(trial)
            used.append(window)
            results.append(result)
    if not results:
        return []
    whole, cash = stitched(results), float(results[0].units.cash)
    summary["best"] = [_told(trial) for trial in chosen]
    summary["decay"] = _decay(search, chosen, used)
    summary["deflated_sharpe"] = _deflated(search, whole)
    factors = np.concatenate([growths(one.round_trips, one.start_cash) for one in results])
    summary["monte_carlo"] = {"inside": None, "outside": monte_carlo(factors, search.seed)}
    summary["walk_forward"] = {
        "metrics": figures_of(whole, results[0].units),
        "curve": curve_of(whole, cash, CURVE_POINTS),
        "windows": [
            {**window.as_json(), **_told(trial)} for window, trial in zip(used, chosen, strict=True)
        ],
    }
    return chosen


def _told(trial: Trial) -> dict[str, Any]:
    return {
        "window": trial.window,
        "number": trial.number,
        "parameters": trial.parameters,
        "objective": trial.objective,
        "inside": trial.metrics,
        "outside": trial.outside,
    }


def _played(search: Search, result: BacktestResult) -> dict[str, Any] | None:
    return monte_carlo(growths(result.round_trips, result.start_cash), search.seed)


def _deflated(search: Search, best: Account) -> dict[str, Any] | None:
    """Return the deflated Sharpe ratio of an account, the ratios in it for a year."""
    sharpe = Cast(KeyTextTransform("sharpe", "metrics"), FloatField())
    known = search.trials.filter(state=Trial.State.DONE).annotate(sharpe=sharpe)
    year = math.sqrt(YEAR_DAYS)
    tried = [
        one / year for one in known.exclude(sharpe=None).values_list("sharpe", flat=True).iterator()
    ]
    found = deflated_sharpe(best.returns, tried, known.count())
    if found is None:
        return None
    yearly = {"sharpe": found.sharpe * year, "threshold": found.threshold * year}
    return {**asdict(found), **yearly}


def _decay(search: Search, chosen: list[Trial], windows: list[Window]) -> dict[str, Any]:
    pairs = [(trial.metrics, trial.outside or {}) for trial in chosen]
    days = [(_days(window.train), _days(window.test or window.train)) for window in windows]
    return dict(decay(pairs, days, search.objective))


def _days(span: tuple[int, int]) -> float:
    return (span[1] - span[0]) / DAY_MS


def _kept_order(search: Search, best: list[Trial]) -> float | None:
    """Return how well the order inside holds outside, over the trials that were tested."""
    pairs = [
        (trial.objective, figure)
        for trial in best
        if trial.objective is not None
        and (figure := (trial.outside or {}).get(search.objective)) is not None
    ]
    return rank_correlation([one for one, _ in pairs], [other for _, other in pairs])
