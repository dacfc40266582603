"""Limits over all bots of an owner, from the kernels' records to the orders."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from bots.changes import change_state
from bots.models import Bot, BotCommand, OwnerLimits, OwnerVerdict
from bots.risk import accounts_of, sweep_limits
from bots.services import lift_verdict, set_limits
from bots.watchdog.restarts import restart_failed
from tcpdashboard.common.models import Alert
from tests.bots.people import make_bot, make_person
from tests.bots.rows import DAY, MINUTE, make_running, record
from tests.patience import Patience

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return make_person("ada")


@pytest.fixture
def bots(ada):
    """Two running bots of Ada with 10,000 USDT each."""
    return [make_running(make_bot(ada, name)) for name in ("one", "two")]


def mark(bot, cash, *, minute=MINUTE, **values):
    Bot.objects.filter(pk=bot.pk).update(kernel=record(bot, cash, **values), cursor=minute)


def orders():
    return sorted(BotCommand.objects.values_list("bot__name", "kind", "source"))


def test_accounts_are_read_from_the_records_of_the_kernels(ada, bots):
    # 2.5 BTC at 1,000.0 USDT: 250,000,000 lots of 1e-8 at 10,000 ticks of 0.1.
    mark(bots[0], "7000.5", lots=250_000_000, tick=10_000, day_equity="9900")
    one = next(iter(accounts_of(ada.pk)))
    assert (one.quote, one.capital, one.day) == ("USDT", 10_000, DAY)
    assert (one.exposure, one.equity) == (2500, Decimal("9500.5"))
    assert one.day_equity == 9900


def test_below_its_limits_an_owner_is_left_alone(ada, bots):
    set_limits(ada, {"max_daily_loss": 0.05, "max_drawdown": 0.1, "max_exposure": 1}, ada)
    mark(bots[0], 9500, day_equity=10_000)
    assert sweep_limits() == set()
    assert not OwnerVerdict.objects.exists()
    assert OwnerLimits.objects.get().peaks == {"USDT": "0"}


def test_a_limit_is_one_verdict_with_its_numbers_an_alert_and_orders(ada, bots):
    set_limits(ada, {"max_daily_loss": 0.05}, ada)
    mark(bots[0], 8000, day_equity=10_000)
    assert sweep_limits() == {bots[0].instrument_id}
    verdict = OwnerVerdict.objects.get()
    assert (verdict.limit, verdict.action, verdict.time) == ("max_daily_loss", "block", MINUTE)
    numbers = {name: Decimal(text) for name, text in verdict.numbers.items() if name != "quote"}
    assert verdict.numbers["quote"] == "USDT"
    assert numbers == {
        "day_equity": 20_000,
        "equity": 18_000,
        "loss": 2000,
        "share": Decimal("0.1"),
        "limit": Decimal("0.05"),
    }
    assert orders() == [("one", "pause", "owner limit"), ("two", "pause", "owner limit")]
    alert = Alert.objects.get()
    assert (alert.kind, alert.owner, alert.severity) == ("owner_limit", ada, "critical")
    assert "10.00% in USDT, 5.00% allowed" in alert.message
    assert sweep_limits() == set(), "it stands: nothing is ordered twice"
    assert len(orders()) == 2


@pytest.mark.parametrize(
    ("limit", "allowed", "numbers"),
    [
        # Once 400 above what was put in, by now 900 below it.
        (
            "max_drawdown",
            0.05,
            {"capital": 20_000, "highest_equity": 20_400, "equity": 19_100, "loss": 1300},
        ),
        # 5 BTC at 1,000.0 beside 4,100 and the other's 10,000 of cash.
        ("max_exposure", 0.25, {"exposure": 5000, "equity": 19_100}),
    ],
)
def test_every_limit_keeps_the_numbers_it_was_judged_by(ada, bots, limit, allowed, numbers):
    set_limits(ada, {limit: allowed}, ada)
    mark(bots[0], 10_400)
    assert sweep_limits() == set()
    mark(bots[0], 4100, lots=500_000_000, tick=10_000)
    sweep_limits()
    told = OwnerVerdict.objects.get().numbers
    assert (told.pop("quote"), Decimal(told.pop("limit"))) == ("USDT", Decimal(str(allowed)))
    # 1,300 of 20,400, and 5,000 of 19,100.
    share = {"max_drawdown": "0.063725", "max_exposure": "0.261780"}[limit]
    assert told.pop("share") == share
    assert {name: Decimal(text) for name, text in told.items()} == numbers


@pytest.mark.parametrize(
    ("action", "kinds"),
    [("block", ["pause"]), ("flatten", ["pause", "flatten"]), ("halt", ["halt"])],
)
def test_each_action_is_its_orders(ada, bots, action, kinds):
    set_limits(ada, {"max_drawdown": 0.1, "action": action}, ada)
    mark(bots[0], 7000)
    sweep_limits()
    given = BotCommand.objects.filter(bot=bots[1]).order_by("pk")
    assert list(given.values_list("kind", flat=True)) == kinds


@pytest.mark.parametrize(
    ("action", "state", "kinds"),
    [
        ("block", "error", []),
        ("flatten", "stopping", ["flatten"]),
        ("halt", "stopping", ["flatten"]),
    ],
)
def test_a_failed_bot_that_may_hold_a_position_is_ended_flat(ada, bots, action, state, kinds):
    change_state(bots[1], "error", source="step", why="boom")
    set_limits(ada, {"max_drawdown": 0.1, "action": action}, ada)
    mark(bots[0], 7000)
    sweep_limits()
    bots[1].refresh_from_db()
    assert bots[1].state == state
    given = BotCommand.objects.filter(bot=bots[1])
    assert list(given.values_list("kind", flat=True)) == kinds


def test_nobody_elses_bots_and_no_rehearsals_are_touched(ada, bots):
    bob = make_person("bob")
    make_running(make_bot(bob, "bobs"))
    rehearsal = make_running(make_bot(ada, "stored", **{"from": "2026-01-01T00:00Z"}))
    mark(rehearsal, 1)
    set_limits(ada, {"max_daily_loss": 0.05, "max_drawdown": 0.05}, ada)
    assert sweep_limits() == set()
    mark(bots[0], 8000, day_equity=10_000)
    sweep_limits()
    assert {name for name, _, _ in orders()} == {"one", "two"}


def test_a_daily_loss_ends_with_its_day_and_paused_bots_enter_again(ada, bots):
    set_limits(ada, {"max_daily_loss": 0.05}, ada)
    mark(bots[0], 8000, day_equity=10_000)
    sweep_limits()
    BotCommand.objects.all().delete()
    for bot in bots:
        bot.refresh_from_db()
        change_state(bot, "paused", source="step")
    # One of them a person paused as well.
    Bot.objects.filter(name="two").update(desired="paused")
    tomorrow = MINUTE + timedelta(days=1)
    mark(bots[0], 8000, minute=tomorrow, day=DAY + 1)
    sweep_limits()
    verdict = OwnerVerdict.objects.get()
    assert (verdict.lifted_at is None, verdict.lifted_by) == (False, None)
    assert orders() == [("one", "resume", "owner limit")]
    assert Alert.objects.get().resolved_at is not None


def test_an_exposure_ends_when_it_is_below_again(ada, bots):
    set_limits(ada, {"max_exposure": 0.4}, ada)
    lots = {"lots": 1_000_000_000, "tick": 10_000}
    mark(bots[0], 0, **lots)
    sweep_limits()
    assert OwnerVerdict.objects.get().limit == "max_exposure"
    mark(bots[0], 10_000)
    sweep_limits()
    assert OwnerVerdict.objects.get().lifted_at is not None


def test_a_drawdown_stands_until_a_person_lifts_it_and_is_then_counted_anew(ada, bots):
    set_limits(ada, {"max_drawdown": 0.1}, ada)
    mark(bots[0], 7000)
    sweep_limits()
    mark(bots[0], 9999, minute=MINUTE + timedelta(days=2))
    sweep_limits()
    verdict = OwnerVerdict.objects.get()
    assert verdict.lifted_at is None
    mark(bots[0], 7000)
    lift_verdict(verdict, ada)
    verdict.refresh_from_db()
    assert verdict.lifted_by == ada
    assert sweep_limits() == set(), "the same loss is no new one"
    mark(bots[0], 5200)
    sweep_limits()
    newest = OwnerVerdict.objects.order_by("pk").last()
    assert Decimal(newest.numbers["loss"]) == 1800


def test_lifting_one_of_two_verdicts_lets_nobody_enter_yet(ada, bots):
    set_limits(ada, {"max_drawdown": 0.1, "max_daily_loss": 0.1}, ada)
    mark(bots[0], 7000, day_equity=10_000)
    sweep_limits()
    BotCommand.objects.all().delete()
    first, second = OwnerVerdict.objects.order_by("pk")
    lift_verdict(first, ada)
    assert orders() == []
    lift_verdict(second, ada)
    assert orders() == [("one", "resume", "owner limit"), ("two", "resume", "owner limit")]


def test_an_owner_who_cannot_be_judged_stops_no_other(ada, bots):
    eve = make_person("eve")
    broken = make_running(make_bot(eve, "broken"))
    Bot.objects.filter(pk=broken.pk).update(kernel=b"short")
    set_limits(eve, {"max_daily_loss": 0.05}, eve)
    set_limits(ada, {"max_daily_loss": 0.05}, ada)
    mark(bots[0], 8000, day_equity=10_000)
    assert sweep_limits() == {bots[0].instrument_id}


@pytest.mark.django_db(transaction=True)
def test_a_failed_bot_that_is_just_being_started_anew_enters_nothing(ada, bots):
    change_state(bots[1], "error", source="step", why="boom")
    set_limits(ada, {"max_drawdown": 0.1, "action": "block"}, ada)
    mark(bots[0], 7000)
    is_held, may_go = threading.Event(), threading.Event()

    def watch():
        try:
            with transaction.atomic():
                change_state(Bot.objects.get(pk=bots[1].pk), "starting", source="watchdog")
                is_held.set()
                may_go.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        assert is_held.wait(10)
        sweep_limits()
    finally:
        may_go.set()
        thread.join(10)
    assert orders() == [("one", "pause", "owner limit"), ("two", "pause", "owner limit")]


@pytest.mark.django_db(transaction=True)
def test_the_watchdog_starts_nothing_anew_of_which_a_verdict_was_passed_meanwhile(ada, bots):
    change_state(bots[1], "error", source="step", why="boom", trouble="strategy_error")
    Bot.objects.filter(pk=bots[1].pk).update(restart_at=MINUTE)
    set_limits(ada, {"max_drawdown": 0.1, "action": "block"}, ada)
    mark(bots[0], 7000)
    seen = Bot.objects.get(pk=bots[1].pk)
    started = []

    def watch():
        try:
            started.append(restart_failed(seen, MINUTE + timedelta(days=1)))
        finally:
            connection.close()

    thread = threading.Thread(target=watch)
    with transaction.atomic():
        sweep_limits()
        thread.start()
        wait_for_a_waiting_session()
    thread.join(30)
    assert started == [False]
    bots[1].refresh_from_db()
    assert bots[1].state == "error"


def wait_for_a_waiting_session():
    patience = Patience()
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "select exists (select from pg_locks join pg_stat_activity using (pid)"
                " where not granted and datname = current_database())"
            )
            if cursor.fetchone()[0]:
                return
            assert not patience.is_over(), "nobody waits"
            time.sleep(0.005)
