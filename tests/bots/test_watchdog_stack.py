"""The watchdog over real workers, a real feed and a strategy of one's own.

The exchange runs at twice its speed: two timeframes of these bots are a minute here.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager

import pytest
from django.utils import timezone

from bots.models import Bot, BotEvent
from bots.services import checked, create_bot, start_bot
from marketdata import services
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig
from tcpdashboard.common.models import Alert
from tests.bots.people import make_config, make_person
from tests.marketdata.conftest import queues
from tests.marketdata.processes import BEAT, WORKER, celery
from tests.simulated_exchange import spawned_exchange

__all__ = ["queues"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.usefixtures("queues"),
]

SPEED = 2
TWO_TIMEFRAMES_S = 2 * 60 / SPEED
PATIENCE = {
    "TCPD_BOT_STALLED_SECONDS": "5",
    "TCPD_BOT_GAP_SECONDS": "5",
    "TCPD_BOT_SILENT_SECONDS": "45",
    "TCPD_BOT_RESTART_SECONDS": "3",
    "TCPD_BOT_RESTARTS": "12",
    "TCPD_FEED_SILENT_SECONDS": "10",
    "TCPD_COLLECTOR_STALL_SECONDS": "600",
}
MOODY = '''\
"""Raises while a file is there."""
from pathlib import Path
import numpy as np
from strategies.domain.base import BaseStrategy

FLAG = Path(__file__).with_name("flag")


class Moody(BaseStrategy):
    """Long, or furious."""

    key, title, source = "moody", "Moody", "a test"

    @property
    def warmup(self):
        return 1

    def process_data(self, candles):
        if FLAG.exists():
            raise ValueError("the flag is up")
        return np.ones(len(candles))
'''


@pytest.fixture
def exchange(tmp_path, settings):
    with spawned_exchange(tmp_path, "--speed", str(SPEED)) as exchange:
        settings.EXCHANGE = "okx-sim"
        settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
        yield exchange


@pytest.fixture
def folder(tmp_path, settings):
    """The folder of one's own strategies, with a moody one in it."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "moody.py").write_text(MOODY)
    settings.STRATEGIES_DIR = str(own)
    return own


@contextmanager
def stack(exchange, tmp_path, **more):
    """Beat, a worker of the steps, and one of everything else; give the first of these."""
    more = {**PATIENCE, "TCPD_HISTORY_DAYS": "0", **more}
    others = tuple("collect,repair,default" if "ticks" in one else one for one in WORKER)
    steps = tuple("ticks" if "ticks" in one else one for one in WORKER)
    folders = [tmp_path / name for name in ("beat", "others", "steps")]
    for one in folders:
        one.mkdir()
    with (
        celery(BEAT, exchange, folders[0], **more),
        celery(others, exchange, folders[1], **more),
        celery(steps, exchange, folders[2], **more) as worker,
    ):
        services.seed_demo("okx-sim")
        yield worker


def until(is_true, within_s):
    end = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < end, f"not within {within_s} s: {told()}"
        time.sleep(0.1)


def told():
    rows = Bot.objects.values_list("name", "state", "trouble", "cursor", "last_error")
    return list(rows), list(Alert.objects.open().values_list("kind", "subject", "message"))


def running(name, config):
    """Make a bot and start it; return it once it has done its first minute."""
    owner = make_person("ada")
    given = {"name": name, "symbol": "BTC-USDT", "config": config}
    bot = start_bot(create_bot(owner, checked(owner, given)), owner)
    until(lambda: row(bot).state == "running" and row(bot).heartbeat_at, 120)
    return bot


def row(bot):
    return Bot.objects.get(pk=bot.pk)


def gets_on(bot):
    """Return a question: has the bot done another minute, without trouble?"""
    stood = row(bot).cursor
    return lambda: (
        row(bot).trouble == "" and row(bot).state == "running" and row(bot).cursor > stood
    )


def test_a_stopped_worker_and_a_frozen_feed_have_two_names_and_are_over_by_themselves(
    exchange, tmp_path
):
    with stack(exchange, tmp_path) as worker:
        make_config()
        bot = running("ema", "EMA 3/9")
        os.killpg(worker.process.pid, signal.SIGSTOP)
        until(lambda: row(bot).trouble == "worker_dead", TWO_TIMEFRAMES_S)
        open_ones = Alert.objects.open().filter(owner=bot.owner)
        until(lambda: open_ones.filter(kind="worker_dead").exists(), 10)
        os.killpg(worker.process.pid, signal.SIGCONT)
        until(gets_on(bot), TWO_TIMEFRAMES_S)
        os.kill(exchange.process.pid, signal.SIGSTOP)
        until(lambda: row(bot).trouble == "feed_stale", TWO_TIMEFRAMES_S)
        os.kill(exchange.process.pid, signal.SIGCONT)
        until(gets_on(bot), 2 * TWO_TIMEFRAMES_S)
        until(lambda: not open_ones.exists(), 15)
        persons = BotEvent.objects.filter(bot=bot, kind="state", source="person")
        assert persons.count() == 1, "it was started once, and nobody did anything since"


def test_a_strategy_that_raises_has_a_third_name_and_goes_on_when_it_is_mended(
    exchange, tmp_path, folder
):
    code = describe_strategy("own:moody").code_hash
    StrategyConfig.objects.create(
        name="moody",
        strategy="own:moody",
        timeframe="1m",
        is_proven=True,
        proven_at=timezone.now(),
        proven_code=code,
    )
    with stack(exchange, tmp_path, TCPD_STRATEGIES_DIR=str(folder)):
        make_config()
        bot = running("moody", "moody")
        owner = bot.owner
        given = {"name": "calm", "symbol": "BTC-USDT", "config": "EMA 3/9"}
        calm = start_bot(create_bot(owner, checked(owner, given)), owner)
        until(lambda: row(calm).state == "running", TWO_TIMEFRAMES_S)
        (folder / "flag").touch()
        until(lambda: row(bot).trouble == "strategy_error", TWO_TIMEFRAMES_S)
        assert "the flag is up" in row(bot).last_error
        assert "Traceback" in row(bot).last_traceback
        until(gets_on(calm), TWO_TIMEFRAMES_S)
        (folder / "flag").unlink()
        until(gets_on(bot), 4 * TWO_TIMEFRAMES_S)
        assert BotEvent.objects.filter(bot=bot, source="watchdog", after="starting").exists()
