"""The kill switch, pressed in each way, over real workers and two hundred bots with positions."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Min, Sum
from django.test import Client

from bots.models import Bot, BotCommand, BotEvent, Fill, LedgerEntry
from bots.tasks import tick
from marketdata.models import Trade, from_ms
from tcpdashboard.common.hints import hint
from tests.bots.people import make_market, make_person
from tests.bots.stories import feed
from tests.bots.test_orders_from_above import at, long_bots, trade
from tests.marketdata.conftest import queues
from tests.marketdata.processes import ROOT, WORKER, celery, environment
from tests.patience import Witness, until
from tests.people import make_staff
from tests.simulated_exchange import SpawnedExchange

__all__ = ["queues"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("queues"),
]

EACH = 100
IN_TIME = timedelta(seconds=5)
LAST = {"BTC-USDT": ("107.0", "106.8"), "ETH-USDT": ("99.3", "99.2")}
"""What was traded last, and that less 10 bps on the tick below: 106.893 and 99.2007."""
NOWHERE = "127.0.0.1:9"
"""Nothing is asked of an exchange here."""
STEPS = tuple("ticks" if "ticks" in one else one for one in WORKER)


@pytest.fixture
def markets(settings):
    settings.EXCHANGE = "okx-sim"
    return [make_market(symbol) for symbol in LAST]


@pytest.fixture
def bots(markets):
    """A hundred bots on each of two markets, all of them long; every other one is Bob's."""
    made = [bot.pk for market in markets for bot in long_bots(market, EACH)]
    bob = make_person("bob")
    Bot.objects.filter(pk__in=made[::2]).update(owner=bob)
    assert holding().count() == len(made)
    return made


@pytest.fixture
def workers(bots, markets, tmp_path):
    """Two workers of the steps that have stepped these bots already."""
    exchange = SpawnedExchange(None, f"http://{NOWHERE}", f"ws://{NOWHERE}", None, None, None)
    with ExitStack() as stack:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            stack.enter_context(celery(STEPS, exchange, tmp_path / name))
        for market in markets:
            feed(market, 102, start=7, before=102)
            hint(tick, market.pk)
        done = Bot.objects.filter(cursor__gte=from_ms(at(8)))
        until(lambda: done.count() == len(bots), "the workers step")
        for market in markets:
            sell_last(market)
        yield environment(exchange, tmp_path)


def sell_last(market):
    """Let the feed be live: a trade at another price, and behind it the last one."""
    last, _ = LAST[market.symbol]
    trade(market, float(last))
    before = {"trade_id": 8, "price": 90.0, "size": 1, "side": 1}
    Trade.objects.create(instrument=market, executed_at=from_ms(at(9) - 1), **before)


def pressed(owner):
    """Press the button on the page of bots, as a browser does."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    page = client.get("/bots/").content.decode()
    assert 'id="open-kill"' in page
    token = client.cookies["csrftoken"].value
    asked(client, {"everyone": False, "why": "enough"}, HTTP_X_CSRFTOKEN=token)


def asked(client, given, **headers):
    told = client.post("/api/v1/bots/kill/", json.dumps(given), "application/json", **headers)
    assert told.status_code == 200, told.content


def by_rest_for_everyone(_env):
    client = Client()
    client.force_login(make_staff("eve", "bot"))
    asked(client, {"everyone": True, "why": "enough"})


def by_command_for_everyone(env):
    command = [sys.executable, "manage.py", "kill_bots", "--everyone"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_button_makes_all_bots_of_its_owner_flat_and_halts_them_in_five_seconds(workers):
    ada = get_user_model().objects.get(username="ada")
    killed_in_time(lambda: pressed(ada), Bot.objects.filter(owner=ada), EACH)
    others = Bot.objects.exclude(owner=ada)
    assert set(others.values_list("state", flat=True)) == {"running"}
    assert holding().filter(bot__in=others).count() == EACH


@pytest.mark.parametrize("press", [by_rest_for_everyone, by_command_for_everyone])
def test_everyones_bots_are_flat_and_halted_in_five_seconds(workers, press):
    killed_in_time(lambda: press(workers), Bot.objects.all(), 2 * EACH)


def killed_in_time(press, bots, number):
    """Press it, and hold what became of the bots against the clock of the database."""
    with Witness() as witness:
        press()
        until(lambda: not bots.exclude(state="halted").exists(), "all are halted")
        # All that is seen here was committed before.
        seen_at = database_now()
    stood_still = timedelta(seconds=witness.longest_s)
    orders = BotCommand.objects.filter(bot__in=bots)
    assert orders.filter(kind="halt", source="kill switch").count() == number == bots.count()
    pressed_at = orders.aggregate(at=Min("asked_at"))["at"]
    assert seen_at - pressed_at - stood_still < IN_TIME
    halts = BotEvent.objects.filter(bot__in=bots, after="halted", source="kill switch")
    assert halts.filter(at__gte=pressed_at).count() == number
    assert_flat_at_the_last_trades(bots, number)


def assert_flat_at_the_last_trades(bots, number):
    assert not holding().filter(bot__in=bots).exists()
    accounts = LedgerEntry.objects.filter(bot__in=bots, account="position").order_by()
    sums = accounts.values("bot").annotate(left=Sum("amount"))
    assert [row["left"] for row in sums] == [0] * number
    out = Fill.objects.filter(bot__in=bots, reason="command").order_by()
    assert out.count() == number
    prices = set(out.values_list("bot__instrument__symbol", "price"))
    assert prices == {(symbol, Decimal(price)) for symbol, (_, price) in LAST.items()}


def holding():
    """Return the newest fills of the bots that hold a position."""
    newest = Fill.objects.order_by("bot_id", "-pk").distinct("bot_id").values("pk")
    return Fill.objects.filter(pk__in=newest).exclude(position=0)


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]
