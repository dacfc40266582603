"""The kill switch reaches every bot at once, whatever state it is in and whoever holds its row."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bots.changes import change_state
from bots.models import Bot, BotCommand
from bots.risk import stop_ordered
from bots.services import kill_bots, pause_bot, start_bot
from tests.bots.people import make_bot, make_config, make_market, make_person
from tests.bots.rows import MINUTE, make_running
from tests.bots.stepping import step, tell_time
from tests.effort import spent_s
from tests.people import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return make_person("ada")


def halted():
    return set(BotCommand.objects.filter(kind="halt").values_list("bot__name", flat=True))


def test_every_living_bot_of_the_owner_is_ordered_to_be_flat_and_halted(ada):
    bob = make_person("bob")
    for name in ("one", "two", "three"):
        make_running(make_bot(ada, name))
    make_running(make_bot(bob, "bobs"))
    make_bot(ada, "new")
    killed = kill_bots(ada, ada, "enough")
    assert halted() == {"one", "two", "three"}
    assert set(killed.bots) == set(
        Bot.objects.filter(state="running", owner=ada).values_list("pk", flat=True)
    )
    command = BotCommand.objects.first()
    assert (command.source, command.asked_by, command.why) == ("kill switch", ada, "enough")
    assert command.asked_at is not None
    assert killed.left().count() == 3


def test_pressed_twice_it_orders_once(ada):
    make_running(make_bot(ada))
    kill_bots(ada, ada)
    assert kill_bots(ada, ada).bots == ()
    assert BotCommand.objects.count() == 1


def test_an_order_that_waits_does_not_keep_the_kill_switch_away(ada):
    pause_bot(make_running(make_bot(ada)), ada)
    kill_bots(ada, ada)
    assert list(BotCommand.objects.values_list("kind", flat=True)) == ["pause", "halt"]


def test_a_bot_that_has_not_begun_is_halted_at_once(ada):
    bot = start_bot(make_bot(ada), ada)
    assert kill_bots(ada, ada).bots == (bot.pk,)
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("halted", "stopped")
    assert not BotCommand.objects.exists()


def test_a_failed_bot_that_may_hold_a_position_is_ended_flat(ada):
    bot = make_running(make_bot(ada))
    change_state(bot, "error", source="step")
    assert kill_bots(ada, ada).bots == (bot.pk,)
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("stopping", "stopped")
    assert list(BotCommand.objects.values_list("kind", "source")) == [("flatten", "kill switch")]


def test_a_bot_that_failed_before_it_began_is_not_started_anew(ada):
    bot = start_bot(make_bot(ada), ada)
    change_state(bot, "error", source="step", trouble="strategy_error")
    assert kill_bots(ada, ada).bots == (bot.pk,)
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("stopped", "stopped")


def test_a_bot_that_fails_while_it_is_ordered_to_halt_is_ended_flat(ada):
    bot, other = (make_running(make_bot(ada, name)) for name in ("one", "other"))
    kill_bots(ada, ada)
    # Whoever put it in error did not see the order yet.
    change_state(bot, "error", source="step")
    assert stop_ordered() == {bot.instrument_id}
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("stopping", "stopped")
    other.refresh_from_db()
    assert other.state == "running"
    assert stop_ordered() == set()


def test_everyones_bots_are_for_those_who_may_change_bots(ada):
    bob = make_person("bob")
    for owner in (ada, bob):
        make_running(make_bot(owner, owner.username))
    for owner in (None, bob):
        with pytest.raises(PermissionDenied):
            kill_bots(owner, ada)
    assert halted() == set()
    kill_bots(None, make_staff("eve", "bot"))
    assert halted() == {"ada", "bob"}


def test_a_thousand_bots_are_ordered_by_one_statement(ada, django_assert_max_num_queries):
    model = make_running(make_bot(ada))
    rows = Bot.objects.filter(pk=model.pk).values().get()
    del rows["id"]
    Bot.objects.bulk_create(Bot(**{**rows, "name": f"bot {number}"}) for number in range(1000))
    before_s = spent_s()
    with django_assert_max_num_queries(8):
        assert len(kill_bots(ada, ada).bots) == 1001
    assert spent_s() - before_s < 2
    assert BotCommand.objects.filter(kind="halt").count() == 1001


def test_many_that_have_not_begun_or_have_failed_take_no_more_statements(ada):
    numbers = []
    for count in (1, 9):
        bots = [make_bot(ada, f"{number} of {count}") for number in range(2 * count)]
        for bot in bots[::2]:
            start_bot(bot, ada)
        for bot in bots[1::2]:
            change_state(make_running(bot), "error", source="step")
        with CaptureQueriesContext(connection) as told:
            assert len(kill_bots(ada, ada).bots) == 2 * count
        states = Bot.objects.filter(pk__in=[bot.pk for bot in bots]).order_by("pk")
        assert list(states.values_list("state", flat=True)) == ["halted", "stopping"] * count
        Bot.objects.update(state="stopped")
        numbers.append(len(told))
    assert numbers[1] <= numbers[0]


@pytest.mark.django_db(transaction=True)
def test_a_step_that_holds_a_bots_row_does_not_delay_the_order(ada):
    bot = make_running(make_bot(ada))
    is_held, may_go = threading.Event(), threading.Event()

    def step():
        try:
            with transaction.atomic():
                list(Bot.objects.select_for_update(no_key=True).filter(pk=bot.pk))
                is_held.set()
                may_go.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=step)
    thread.start()
    try:
        assert is_held.wait(10)
        kill_bots(ada, ada)
        assert thread.is_alive(), "it holds the row until it is told to go"
        assert halted() == {bot.name}
    finally:
        may_go.set()
        thread.join(10)


@pytest.mark.parametrize("has_begun", [True, False])
@pytest.mark.django_db(transaction=True)
def test_a_failed_bot_that_is_just_being_started_anew_is_halted_when_it_runs(ada, has_begun):
    bot = make_bot(ada)
    change_state(make_running(bot) if has_begun else start_bot(bot, ada), "error", source="step")
    is_held, may_go = threading.Event(), threading.Event()

    def watch():
        try:
            with transaction.atomic():
                change_state(Bot.objects.get(pk=bot.pk), "starting", source="watchdog")
                is_held.set()
                may_go.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        assert is_held.wait(10)
        assert kill_bots(ada, ada).bots == (bot.pk,)
    finally:
        may_go.set()
        thread.join(10)
    tell_time(bot.instrument.exchange, int(MINUTE.timestamp() * 1000))
    step(bot.instrument)
    step(bot.instrument)
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("halted", "stopped")
    assert not BotCommand.objects.waiting().exists()


def test_configurations_do_not_matter_to_it(ada):
    make_market()
    make_config(proven=False)
    make_running(make_bot(ada))
    assert len(kill_bots(ada, None).bots) == 1
