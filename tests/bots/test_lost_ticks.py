"""The sweep over real workers, where the message of every closed minute is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.models import Bot, BotPerformance, ParityReport
from bots.parity.reporting import make_report
from bots.services import checked, create_bot, start_bot
from bots.storage.minutes import exchange_now_ms
from marketdata import services
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Candle, to_ms
from tests.bots.people import make_config, make_person
from tests.marketdata.conftest import queues
from tests.marketdata.processes import BEAT, WORKER, celery
from tests.patience import until
from tests.simulated_exchange import spawned_exchange

__all__ = ["queues"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("queues"),
]

SPEED = 6
"""Of the exchange: a minute lasts ten seconds, three times as long as a sweep takes to come."""
MINUTES = 4
LOSING = ("-A", "tests.bots.losing")


@pytest.fixture
def exchange(tmp_path, settings):
    with spawned_exchange(tmp_path, "--speed", str(SPEED)) as exchange:
        settings.EXCHANGE = "okx-sim"
        settings.OKX_REST_URL, settings.OKX_WS_URL = exchange.rest, exchange.websocket
        yield exchange


def test_the_sweep_alone_brings_a_bot_to_its_due_minute(exchange, tmp_path):
    make_config(fast=1, slow=2)
    # Beat asks for the sweep, and only the worker of the steps can say whom it asks for.
    others = (*LOSING, *("collect,repair,default" if "ticks" in one else one for one in WORKER))
    steps = tuple("ticks" if "ticks" in one else one for one in WORKER)
    folders = [tmp_path / name for name in ("beat", "others", "steps")]
    for one in folders:
        one.mkdir()
    lost = tmp_path / "lost"
    lost.touch()
    more = {"TCPD_HISTORY_DAYS": "0", "TCPD_BOT_RESTARTS": "0"}
    with (
        celery(BEAT, exchange, folders[0], **more),
        celery(others, exchange, folders[1], LOST_TICKS=str(lost), **more),
        celery(steps, exchange, folders[2], **more),
    ):
        services.seed_demo("okx-sim")
        bot = begun()
        first, before = row(bot).cursor, lost_ticks(lost, bot)
        last = first + timedelta(minutes=MINUTES)
        until(lambda: row(bot).cursor >= last, lambda: told(bot))
        # Not as far as it was once: as far as the market is.
        until(lambda: is_at_the_due_minute(bot), lambda: told(bot))
        ticks = lost_ticks(lost, bot) - before
    assert ticks >= MINUTES, "the message of each minute was sent, and lost"
    at = row(bot)
    assert (at.state, at.trouble, at.restarts) == ("running", "", 0)
    assert_every_minute_is_done_once(at)


def lost_ticks(lost, bot):
    return lost.read_text().split().count(str(bot.instrument_id))


def begun():
    """Return a bot that has done a minute."""
    owner = make_person("ada")
    given = {"name": "swept", "symbol": "BTC-USDT", "config": "EMA 3/9"}
    bot = start_bot(create_bot(owner, checked(owner, given)), owner)
    until(lambda: row(bot).state == "running" and row(bot).heartbeat_at, lambda: told(bot))
    return row(bot)


def row(bot):
    return Bot.objects.get(pk=bot.pk)


def told(bot):
    at = row(bot)
    return at.state, at.trouble, at.cursor, at.last_error, exchange_now_ms("okx-sim")


def is_at_the_due_minute(bot):
    """Return whether nothing that is stored is left to do: the cursor is behind the last candle."""
    newest = Candle.objects.filter(instrument=bot.instrument, timeframe=1).latest("open_time")
    return to_ms(row(bot).cursor) == to_ms(newest.open_time) + MINUTE_MS


def assert_every_minute_is_done_once(bot):
    done = BotPerformance.objects.filter(bot=bot).order_by("time").values_list("time", flat=True)
    closes = [to_ms(time) for time in done]
    assert len(closes) >= MINUTES
    assert closes == list(range(closes[0], to_ms(bot.cursor) + 1, MINUTE_MS))
    report = make_report(bot.run_id, ParityReport.Reason.ASKED)
    assert (report.known, report.known_divergence) == ("matched", None)
