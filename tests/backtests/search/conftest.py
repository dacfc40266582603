"""Searches over the two days of candles of the tests of backtests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model

from backtests.models import Search, Trial
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


def asked(owner: Model | None = None, **changes) -> Search:
    return request_search(SearchRequest(**{**GRID, **changes}), owner)


def done(search: Search) -> Search:
    """Do all that is left of a search in this process."""
    assert run_job(search.jobs.order_by("pk").first().pk) == "done"
    search = Search.objects.get(pk=search.pk)
    assert search.state == "done"
    return search


def stored(search: Search) -> list[dict[str, Any]]:
    """Return all that a search found, every column of its trials but the numbers of the rows."""
    fields = columns(Trial) - {"id", "search"}
    assert {"parameters", "objective", "metrics", "outside"} < fields
    return list(search.trials.order_by("window", "number").values(*fields))


def told(search: Search) -> dict[str, Any]:
    """Return every column of a search but its number and its clocks."""
    fields = columns(Search) - {"id", "created_at", "started_at", "finished_at"}
    return Search.objects.filter(pk=search.pk).values(*fields).get()


def columns(model: type[Model]) -> set[str]:
    """Return the names of a table's columns."""
    return {field.name for field in model._meta.concrete_fields}


@contextmanager
def last_batch_kept(search: Search) -> Iterator[None]:
    """Keep a search from ending, however fast its workers are: nobody can take its last batch."""
    rows = "select from backtests_searchbatch where search_id = %s order by id desc limit 1"
    with locked(rows, search):
        yield


@contextmanager
def locked(rows: str, search: Search) -> Iterator[None]:
    """Hold rows of a search, told by a statement that selects them, in another session."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(f"{rows} for update", [search.pk])
        yield
    finally:
        other.close()
