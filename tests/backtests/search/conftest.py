"""Searches over the two days of candles of the tests of backtests."""

from __future__ import annotations

from typing import Any

import pytest

from backtests.models import Search
from backtests.searches import request_search
from backtests.searching.asking import SearchRequest
from tcpdashboard.common.jobs.runner import run_job
from tests.backtests.conftest import DAYS
from tests.marketdata.api.conftest import START_MS

GRID: dict[str, Any] = {
    "strategy": "ema_crossover",
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "timeframe": "5m",
    "start_ms": START_MS + 6 * 3_600_000,
    "end_ms": START_MS + DAYS * 86_400_000,
    "space": {"fast": {"min": 3, "max": 6}, "slow": {"values": [5, 9, 12]}},
    "objective": "total_return",
}
RANDOM = {**GRID, "method": "random", "count": 10, "seed": 7}
OPTUNA = {**GRID, "method": "optuna", "count": 40, "seed": 7}
KINDS = {"grid": GRID, "random": RANDOM, "optuna": OPTUNA}


@pytest.fixture(autouse=True)
def _seen_by_no_other_session(settings):
    """Within a test's transaction another session, that of the renewal, finds no job: it waits."""
    settings.JOB_RENEW_SECONDS = 600


def asked(**changes) -> Search:
    return request_search(SearchRequest(**{**GRID, **changes}))


def done(search: Search) -> Search:
    """Do all that is left of a search in this process."""
    assert run_job(search.jobs.order_by("pk").first().pk) == "done"
    search = Search.objects.get(pk=search.pk)
    assert search.state == "done"
    return search


def stored(search: Search) -> list[tuple[Any, ...]]:
    """Return all that a search found, without the numbers of its rows."""
    fields = ("window", "number", "parameters", "state", "objective", "metrics", "outside", "error")
    return list(search.trials.order_by("window", "number").values_list(*fields))
