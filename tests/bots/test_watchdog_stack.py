"""The watchdog over real workers, a real feed and a strategy of one's own."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager

import pytest
from django.utils import timezone

from bots.models import Bot, BotEvent
from bots.services import checked, create_bot, start_bot
from bots.storage.minutes import exchange_now_ms
from marketdata import services
from marketdata.domain.timeframe import Timeframe
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
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("queues"),
]

SPEED = 6
"""Of the exchange: a minute lasts ten seconds."""
TIMEFRAME = Timeframe.M5
IN_TIME_MS = 2 * TIMEFRAME.ms
"""Within which trouble has its name, by the exchange's clock: two candles of these bots."""
HANG_S = 240
"""Only ends a test that hangs: nothing is judged by the clock of the machine."""
PATIENCE = {
    "TCPD_BOT_STALLED_SECONDS": "5",
    "TCPD_BOT_GAP_SECONDS": "5",
    "TCPD_BOT_SILENT_SECONDS": "20",
    "TCPD_BOT_RESTART_SECONDS": "1",
    "TCPD_BOT_RESTARTS": "12",
    "TCPD_FEED_SILENT_SECONDS": "6",
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


def until(is_true):
    end = time.monotonic() + HANG_S
    while not is_true():
        assert time.monotonic() < end, f"it hangs: {told()}"
        time.sleep(0.1)


def is_named_in_time(bot, trouble):
    """Return whether a bot's trouble gets its name in time; a frozen exchange's clock stands."""
    began_ms = exchange_now_ms(bot.instrument.exchange)
    until(lambda: row(bot).trouble == trouble)
    return exchange_now_ms(bot.instrument.exchange) - began_ms <= IN_TIME_MS


def told():
    rows = Bot.objects.values_list("name", "state", "trouble", "cursor", "last_error")
    return list(rows), list(Alert.objects.open().values_list("kind", "subject", "message"))


def begun(*configs):
    """Make a bot of each configuration and start it; return them once each has done a minute."""
    owner = make_person("ada")
    given = [{"name": config, "symbol": "BTC-USDT", "config": config} for config in configs]
    bots = [start_bot(create_bot(owner, checked(owner, one)), owner) for one in given]
    for bot in bots:
        until(lambda bot=bot: row(bot).state == "running" and row(bot).heartbeat_at)
    return bots


def row(bot):
    return Bot.objects.get(pk=bot.pk)


def gets_on(bot):
    """Return a question: has the bot done another minute, without trouble?"""
    stood = row(bot).cursor
    return lambda: (
        row(bot).trouble == "" and row(bot).state == "running" and row(bot).cursor > stood
    )


def test_what_keeps_bots_has_one_of_three_names_and_is_over_by_itself(exchange, tmp_path, folder):
    make_config(timeframe=TIMEFRAME)
    code = describe_strategy("own:moody").code_hash
    proof = {"is_proven": True, "proven_at": timezone.now(), "proven_code": code}
    StrategyConfig.objects.create(name="moody", strategy="own:moody", timeframe=TIMEFRAME, **proof)
    with stack(exchange, tmp_path, TCPD_STRATEGIES_DIR=str(folder)) as worker:
        calm, moody = begun("EMA 3/9", "moody")
        alerts = Alert.objects.open().filter(owner=calm.owner)
        a_worker_that_is_stopped(worker, calm, alerts)
        a_feed_that_is_frozen(exchange, calm, alerts)
        a_strategy_that_raises(folder / "flag", moody, calm, alerts)
    of_persons = BotEvent.objects.filter(kind="state", source="person").order_by("bot_id")
    assert list(of_persons.values_list("bot", "after")) == [
        (calm.pk, "starting"),
        (moody.pk, "starting"),
    ], "they were started once, and nobody did anything since"


def a_worker_that_is_stopped(worker, bot, alerts):
    os.killpg(worker.process.pid, signal.SIGSTOP)
    assert is_named_in_time(bot, "worker_dead")
    until(alerts.filter(kind="worker_dead").exists)
    os.killpg(worker.process.pid, signal.SIGCONT)
    until(gets_on(bot))


def a_feed_that_is_frozen(exchange, bot, alerts):
    os.kill(exchange.process.pid, signal.SIGSTOP)
    assert is_named_in_time(bot, "feed_stale")
    os.kill(exchange.process.pid, signal.SIGCONT)
    until(gets_on(bot))
    until(lambda: not alerts.exists())


def a_strategy_that_raises(flag, bot, other, alerts):
    flag.touch()
    assert is_named_in_time(bot, "strategy_error")
    assert "the flag is up" in row(bot).last_error
    assert "Traceback" in row(bot).last_traceback
    until(gets_on(other))
    flag.unlink()
    until(gets_on(bot))
    until(lambda: not alerts.exists())
    assert BotEvent.objects.filter(bot=bot, source="watchdog", after="starting").exists()
