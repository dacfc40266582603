"""Doing searches: every trial is a backtest, and whoever does it, the same comes out."""

from __future__ import annotations

import pytest

from backtests.models import Search, SearchBatch, Trial
from backtests.requests import BacktestRequest
from backtests.searching import batches
from backtests.services import run_now
from tests.backtests.search.conftest import GRID, KINDS, asked, done, stored

pytestmark = pytest.mark.usefixtures("btc")


def test_a_grid_tries_every_combination_and_tells_which_cannot_be():
    search = done(asked())
    trials = {
        (trial.parameters["fast"], trial.parameters["slow"]): trial for trial in search.trials.all()
    }
    assert sorted(trials) == [(fast, slow) for fast in (3, 4, 5, 6) for slow in (5, 9, 12)]
    refused = {pair for pair, trial in trials.items() if trial.state == "refused"}
    assert refused == {(5, 5), (6, 5)}
    assert "below slow" in trials[6, 5].error
    assert search.summary["trials"] == {"done": 10, "refused": 2, "failed": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_every_trial_has_the_figures_of_a_backtest_of_its_own(kind):
    search = done(asked(**KINDS[kind]))
    trials = search.trials.filter(state="done")
    assert len(trials) > 5
    for trial in trials[:6]:
        single = run_now(
            BacktestRequest(
                strategy=search.strategy,
                exchange="okx-sim",
                symbol="BTC-USDT",
                timeframe=search.timeframe,
                start_ms=GRID["start_ms"],
                end_ms=GRID["end_ms"],
                parameters=trial.parameters,
            )
        )
        assert trial.metrics == single.metrics
        assert trial.objective == single.metrics["total_return"]
