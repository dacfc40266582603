"""A real worker outlives whatever is asked for wrongly, and what somebody's own strategy does."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from backtests.models import Backtest, Search
from backtests.requests import BacktestRequest
from backtests.searches import request_search
from backtests.searching.asking import SearchRequest
from backtests.services import request_backtest
from tcpdashboard.celery import app
from tcpdashboard.common.models import Job
from tcpdashboard.supervisor.plan import COMPUTER
from tests.backtests.conftest import ASKED, with_candles
from tests.backtests.search import test_api as searches
from tests.backtests.search.conftest import GRID
from tests.backtests.test_api import GIVEN, URL
from tests.backtests.test_malformed import MALFORMED, nothing_is_stored, refused
from tests.backtests.test_own_strategies import HEAD
from tests.marketdata.api.conftest import client_of, make_instrument
from tests.marketdata.processes import Celery, celery
from tests.patience import until

WORKER = ("worker", "-Q", "backtests", "-c", "1", *COMPUTER, "--loglevel", "info")
NOWHERE = SimpleNamespace(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")
DEADLINE_S, MEMORY_MB, OUTPUT_KB = 10, 300, 64
HOSTILE = {
    "loops": ("        while True: pass\n", f"took longer than {DEADLINE_S} s"),
    "eats": ("        return np.ones(600_000_000)\n", f"it needs more than {MEMORY_MB} MB"),
    "prints": (
        "        for _ in range(1_000): print('x' * 1_000_000)\n",
        f"it printed more than {OUTPUT_KB} kB",
    ),
    "writes": (
        "        for _ in range(1_000): os.write(1, b'x' * 1_000_000)\n",
        "too much to its output",
    ),
    "leaves": ("        os._exit(3)\n", "it called os._exit(3)"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("queues"),
    pytest.mark.django_db(transaction=True),
]


@dataclass
class Worker:
    """A worker of one process; `pids` are those that it began with."""

    celery: Celery
    pids: dict[str, Any]

    def is_as_it_was(self) -> None:
        """See that the same processes still answer; a busy machine is asked again."""
        until(lambda: pids() == self.pids, pids, seconds=20)
        assert self.celery.process.poll() is None

    def succeeds(self) -> None:
        """See that it does the next backtest, by the process that it had from the beginning."""
        backtest = request_backtest(BacktestRequest(**ASKED))
        until(lambda: Backtest.objects.get(pk=backtest.pk).result_hash, self.celery.log.read_text)
        self.is_as_it_was()


def pids() -> dict[str, Any]:
    """Return what answers on the queue of commands: each worker with its pool's processes."""
    found = app.control.inspect(timeout=2.0).stats() or {}
    return {name: (one["pid"], one["pool"]["processes"]) for name, one in found.items()}


@pytest.fixture
def worker(tmp_path, settings):
    folder = tmp_path / "strategies"
    folder.mkdir()
    for name, (body, _) in HOSTILE.items():
        (folder / f"{name}.py").write_text(HEAD + body)
    settings.STRATEGIES_DIR = str(folder)
    limits = {
        "TCPD_STRATEGIES_DIR": str(folder),
        "TCPD_STRATEGY_DEADLINE_SECONDS": str(DEADLINE_S),
        "TCPD_STRATEGY_MEMORY_MB": str(MEMORY_MB),
        "TCPD_STRATEGY_OUTPUT_KB": str(OUTPUT_KB),
    }
    with_candles(make_instrument("BTC-USDT"))
    with celery(WORKER, NOWHERE, tmp_path, **limits) as process:
        until(lambda: "ready." in process.log.read_text(), process.log.read_text)
        until(pids)
        yield Worker(process, pids())


def test_malformed_requests_reach_no_worker(worker, queues):
    trader = client_of(get_user_model().objects.create_user("trader"))
    for field, changes in MALFORMED:
        refused(trader.post(URL, {**GIVEN, **changes}, format="json"), field, changes)
    for changes, field, _ in searches.REFUSED:
        asked = {**searches.GIVEN, **changes}
        refused(trader.post(searches.URL, asked, format="json"), field, changes)
    assert len(MALFORMED) + len(searches.REFUSED) >= 200
    assert nothing_is_stored()
    assert not Search.objects.exists()
    assert not queues.exists("backtests")
    worker.is_as_it_was()
    worker.succeeds()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_strategy_ends_its_own_run_and_nothing_else(worker, name):
    reason = HOSTILE[name][1]
    asked = {**ASKED, "strategy": f"own:{name}", "parameters": {"period": 7}}
    backtest = request_backtest(BacktestRequest(**asked))
    ended = Job.objects.exclude(state__in=("queued", "running"))
    until(lambda: ended.filter(pk=backtest.job_id).exists(), worker.celery.log.read_text)
    backtest = Backtest.objects.get(pk=backtest.pk)
    assert (backtest.state, backtest.result_hash) == ("failed", "")
    assert reason in backtest.error
    worker.is_as_it_was()
    worker.succeeds()
    space = {"period": {"values": [5, 7]}}
    asked = {**GRID, "strategy": f"own:{name}", "space": space}
    search = request_search(SearchRequest(**asked))
    searched = Search.objects.filter(pk=search.pk, finished_at__isnull=False)
    until(searched.exists, worker.celery.log.read_text)
    trials = list(search.trials.all())
    assert [trial.state for trial in trials] == ["failed", "failed"]
    assert all(reason in trial.error and not trial.metrics for trial in trials)
    assert searched.get().summary["trials"] == {"done": 0, "refused": 0, "failed": 2}
    worker.succeeds()
