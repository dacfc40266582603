"""The watchdog over rows: what it says of bots, what it tells, what it starts anew."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from bots.changes import change_state
from bots.models import Bot, BotEvent, OwnerVerdict
from bots.services import lift_verdict
from bots.watchdog import watch_bots
from marketdata.models import Instrument, to_ms
from marketdata.storage import write_candles
from tcpdashboard.common.broker import note_beat, open_redis
from tcpdashboard.common.models import Alert
from tests.bots.people import make_bot, make_config, make_person
from tests.bots.rows import MINUTE, make_running
from tests.marketdata.api.conftest import minutes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(settings):
    """What is seen twice is seen for long enough; workers answer."""
    cache.clear()
    settings.BOT_STALLED_SECONDS = settings.BOT_GAP_SECONDS = 0
    settings.BOT_SILENT_SECONDS = 1000
    settings.BOT_RESTARTS, settings.BOT_RESTART_SECONDS = 2, 30
    note_beat()


@pytest.fixture
def ada():
    return make_person("ada")


@pytest.fixture
def bot(ada):
    return make_running(make_bot(ada))


def store(bot, *offsets):
    """Store the minutes at so many minutes from MINUTE."""
    for offset in offsets:
        rows = minutes(1)
        rows["open_time_ms"] = to_ms(MINUTE + timedelta(minutes=offset))
        rows["closed_at_ms"] = rows["open_time_ms"] + 60_000
        write_candles(bot.instrument, rows, reason="test")


def look(times=2):
    for _ in range(times):
        asked = watch_bots()
    return asked


def silence_workers():
    with open_redis() as client:
        for key in client.scan_iter("*beat*"):
            client.delete(key)


def trouble(bot):
    bot.refresh_from_db()
    return bot.trouble


def open_alerts():
    return set(Alert.objects.open().values_list("kind", "subject"))


def test_a_bot_that_waits_for_its_next_minute_is_well(bot):
    store(bot, -2, -1)
    assert look() == set()
    assert trouble(bot) == ""
    assert open_alerts() == set()


def test_a_minute_that_is_stored_and_not_done_is_a_dead_worker(bot, ada):
    silence_workers()
    store(bot, 0)
    assert watch_bots() == set(), "it may be done this very moment"
    assert look(1) == {bot.instrument_id}
    assert trouble(bot) == "worker_dead"
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject, alert.owner) == ("worker_dead", "bots of ada", ada)
    assert "EMA on BTC" in alert.message
    event = BotEvent.objects.get(kind="trouble")
    assert (event.source, event.why) == ("watchdog", "well → worker dead")


def test_it_is_over_when_the_bot_gets_on(bot):
    silence_workers()
    store(bot, 0)
    look()
    Bot.objects.update(cursor=MINUTE + timedelta(minutes=1))
    look(1)
    assert trouble(bot) == ""
    assert open_alerts() == set()
    assert Alert.objects.get().resolved_at is not None


def test_a_missing_minute_with_later_ones_is_a_gap(bot):
    store(bot, 1)
    look()
    assert trouble(bot) == "data_gap"
    assert open_alerts() == {("data_gap", "bots of ada: okx-sim:BTC-USDT")}
    store(bot, 0)
    watch_bots()
    assert trouble(bot) == ""


def test_an_instrument_that_is_switched_off_is_a_stale_feed(bot):
    Instrument.objects.update(is_enabled=False)
    look(1)
    assert trouble(bot) == "feed_stale"
    Instrument.objects.update(is_enabled=True)
    look(1)
    assert trouble(bot) == ""


def test_a_minute_that_does_not_come_is_a_stale_feed(bot, settings):
    settings.BOT_SILENT_SECONDS = 0
    look()
    assert trouble(bot) == "feed_stale"


def test_a_bot_on_stored_candles_is_judged_by_its_own_clock(ada):
    begin = (MINUTE - timedelta(minutes=1)).isoformat()
    bot = make_running(make_bot(ada, **{"from": begin, "speed": 1}))
    store(bot, 0, 1, 2)
    look()
    assert trouble(bot) == "", "its clock has not come to the end of that minute"
    bot.run.started_at = timezone.now() - timedelta(minutes=5)
    bot.run.save(update_fields=("started_at",))
    look()
    assert trouble(bot) == "worker_dead"


def test_many_bots_of_one_cause_are_one_alert_of_their_owner(ada, bot):
    for number in range(5):
        make_running(make_bot(ada, f"bot {number}"))
    bob = make_person("bob")
    make_running(make_bot(bob, "bobs"))
    store(bot, 1)
    look()
    rows = {alert.owner.username: alert.details["number"] for alert in Alert.objects.open()}
    assert rows == {"ada": 6, "bob": 1}
    look()
    assert set(Alert.objects.values_list("count", flat=True)) == {1}


def test_a_bot_whose_strategy_failed_is_started_anew_after_a_pause(bot):
    change_state(bot, "error", source="step", why="boom", trouble="strategy_error")
    assert look() == set()
    assert open_alerts() == {("strategy_error", f"bots of ada: {bot.config}")}
    Bot.objects.update(restart_at=timezone.now() - timedelta(seconds=1))
    assert look(1) == {bot.instrument_id}
    bot.refresh_from_db()
    assert (bot.state, bot.restarts) == ("starting", 1)
    event = BotEvent.objects.filter(kind="state").first()
    assert (event.source, event.why) == ("watchdog", "started anew after an error, 1 of 2")
    # As the step leaves it when it goes on; it may fail again at once.
    change_state(bot, "running", source="step", trouble="")
    look(1)
    assert open_alerts() == {("strategy_error", f"bots of ada: {bot.config}")}
    Bot.objects.update(restart_at=timezone.now() - timedelta(seconds=1))
    look(1)
    assert open_alerts() == set()


def test_once_its_budget_is_used_up_a_person_must_start_it(bot):
    change_state(bot, "error", source="step", trouble="strategy_error", restarts=2)
    Bot.objects.update(restart_at=timezone.now() - timedelta(seconds=1))
    assert look() == set()
    bot.refresh_from_db()
    assert bot.state == "error"


def test_a_bot_that_went_well_for_a_while_has_its_whole_budget_again(bot):
    Bot.objects.update(restarts=2, restart_at=timezone.now() - timedelta(seconds=95))
    look(1)
    bot.refresh_from_db()
    assert (bot.restarts, bot.restart_at) == (0, None)


def test_while_a_limit_of_its_owner_stands_no_failed_bot_enters_again(bot, ada):
    change_state(bot, "error", source="step", trouble="strategy_error")
    look()
    verdict = OwnerVerdict.objects.create(
        owner=ada, limit="max_drawdown", action="halt", time=MINUTE
    )
    Bot.objects.update(restart_at=timezone.now() - timedelta(seconds=1))
    assert look(1) == set()
    bot.refresh_from_db()
    assert (bot.state, bot.restarts) == ("error", 0)
    lift_verdict(verdict, ada)
    assert look(1) == {bot.instrument_id}
    bot.refresh_from_db()
    assert bot.state == "starting"


def test_a_bot_that_was_to_stop_is_not_started_anew(bot):
    change_state(bot, "error", source="step", trouble="strategy_error", desired="stopped")
    look()
    bot.refresh_from_db()
    assert (bot.restart_at, bot.state) == (None, "error")


def test_a_bot_that_stands_still_while_workers_run_is_asked_for_and_then_given_up(bot):
    store(bot, 0)
    assert look() == {bot.instrument_id}
    for number in (1, 2):
        bot.refresh_from_db()
        assert (bot.state, bot.restarts) == ("running", number)
        Bot.objects.update(restart_at=timezone.now() - timedelta(seconds=1))
        look(1)
    bot.refresh_from_db()
    assert bot.state == "error"
    assert "stood still" in bot.last_error
    look(1)
    assert trouble(bot) == "worker_dead", "a person must look"


def test_while_workers_are_dead_no_bot_uses_up_its_budget(bot):
    silence_workers()
    store(bot, 0)
    look(6)
    bot.refresh_from_db()
    assert (bot.state, bot.restarts) == ("running", 0)


def test_a_bot_that_cannot_begin_is_told_of(bot, ada):
    other = make_bot(ada, "other")
    change_state(other, "starting", source="person", actor=ada)
    look()
    assert trouble(other) == "feed_stale"
    silence_workers()
    look(1)
    assert trouble(other) == "worker_dead"


def test_a_bot_that_is_over_keeps_no_trouble(bot):
    store(bot, 1)
    look()
    change_state(bot, "stopping", source="person")
    change_state(bot, "stopped", source="step")
    look(1)
    assert trouble(bot) == ""
    assert open_alerts() == set()


def test_another_configuration_is_another_alert(bot, ada):
    make_config(name="EMA other")
    other = make_running(make_bot(ada, "other", config="EMA other"))
    for one in (bot, other):
        change_state(one, "error", source="step", trouble="strategy_error")
    look(1)
    assert len(open_alerts()) == 2


def test_a_look_takes_as_many_queries_for_many_bots(bot, ada, django_assert_max_num_queries):
    for number in range(20):
        make_running(make_bot(ada, f"bot {number}"))
    store(bot, 0)
    look()
    Bot.objects.update(restart_at=timezone.now() + timedelta(hours=1))
    with django_assert_max_num_queries(15):
        watch_bots()
