"""The worker of backtests as it runs in an installation: processes, forked with kernels loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import request_backtest, rerun_backtest
from tcpdashboard.supervisor.plan import COMPUTER
from tests.backtests.conftest import ASKED, with_candles
from tests.marketdata.api.conftest import make_instrument
from tests.marketdata.processes import celery
from tests.patience import until

WORKER = ("worker", "-Q", "backtests", "-c", "2", *COMPUTER, "--loglevel", "info")
NOWHERE = SimpleNamespace(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("queues")
@pytest.mark.django_db(transaction=True)
def test_processes_run_what_is_asked_for_and_store_the_same_as_this_one(tmp_path):
    with_candles(make_instrument("BTC-USDT"))
    with celery(WORKER, NOWHERE, tmp_path) as worker:
        until(lambda: "ready." in worker.log.read_text(), worker.log.read_text)
        asked = [
            request_backtest(BacktestRequest(**{**ASKED, "timeframe": timeframe}))
            for timeframe in ("1m", "5m", "15m", "1h")
        ]
        numbers = [backtest.pk for backtest in asked]
        unfinished = Backtest.objects.filter(pk__in=numbers, result_hash="")
        until(lambda: not unfinished.exists(), worker.log.read_text)
        assert worker.terminate() < 15
    assert "Traceback" not in worker.log.read_text()
    for backtest in Backtest.objects.all():
        assert backtest.state == "done"
        assert rerun_backtest(backtest).differences == {}
