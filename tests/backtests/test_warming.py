"""A worker of backtests has its kernels in memory before its first task, by Numba's own account."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import request_backtest
from strategies.domain.registry import STRATEGIES
from tcpdashboard.celery import app
from tcpdashboard.supervisor.plan import COMPUTER
from tests.backtests.conftest import ASKED, with_candles
from tests.backtests.search.conftest import GRID, asked
from tests.marketdata.api.conftest import make_instrument
from tests.marketdata.processes import celery
from tests.patience import until

PROBE = ("--include", "tests.backtests.kernel_probe")
WORKER = ("worker", "-Q", "backtests", "-c", "1", *COMPUTER, *PROBE, "--loglevel", "info")
NOWHERE = SimpleNamespace(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")
CALLED = {
    "backtests.domain.kernels.execution.walk",
    "backtests.domain.kernels.sweeping.sweep",
    "strategies.domain.kernels.crossing.crossings",
}


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("queues")
@pytest.mark.django_db(transaction=True)
def test_the_first_backtests_and_the_first_search_find_every_kernel_loaded(tmp_path):
    with_candles(make_instrument("BTC-USDT"))
    with celery(WORKER, NOWHERE, tmp_path) as worker:
        before = signatures(tmp_path / "before", worker)
        for key in STRATEGIES:
            for timeframe in ("1m", "5m"):
                plain = {"strategy": key, "timeframe": timeframe, "parameters": {}}
                backtest = request_backtest(BacktestRequest(**{**ASKED, **plain}))
                until(lambda b=backtest: result_of(b), worker.log.read_text)
        search = asked(**GRID, validation={"kind": "holdout", "share": 0.3})
        until(lambda: type(search).objects.get(pk=search.pk).state == "done", worker.log.read_text)
        after = signatures(tmp_path / "after", worker)
    assert all(before.get(name) for name in CALLED), before
    late = {name: set(told) - set(before.get(name, ())) for name, told in after.items()}
    assert {name: told for name, told in late.items() if told} == {}


def result_of(backtest):
    return Backtest.objects.get(pk=backtest.pk).result_hash


def signatures(path, worker):
    """Return what the worker's process tells by a task of its queue."""
    app.send_task("tests.tell_signatures", (str(path),), queue="backtests")
    until(path.exists, worker.log.read_text)
    return json.loads(path.read_text())
