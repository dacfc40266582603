"""Making, changing, starting and ending bots: what is done, and what is refused by field."""

from __future__ import annotations

import pytest
from django.utils import timezone

from bots.changes import change_state
from bots.models import Bot, BotCommand, BotEvent, BotRun, OwnerLimits, OwnerVerdict
from bots.services import (
    InvalidBot,
    checked,
    clone_bot,
    create_bot,
    delete_bot,
    edit_bot,
    flatten_bot,
    pause_bot,
    reset_bot,
    resume_bot,
    set_limits,
    start_bot,
    stop_bot,
)
from marketdata.models import Instrument
from strategies.models import StrategyConfig
from tests.bots.people import GIVEN, make_bot, make_config, make_market, make_person
from tests.bots.rows import MINUTE, begin, make_running
from tests.marketdata.api.conftest import client_of, make_instrument

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _exchange(settings):
    settings.EXCHANGE = "okx-sim"


@pytest.fixture
def ada():
    return make_person("ada")


@pytest.fixture
def bob():
    return make_person("bob")


def refusal(function, *arguments, **named):
    with pytest.raises(InvalidBot) as refused:
        function(*arguments, **named)
    return refused.value.errors


def test_a_bot_is_made_with_everything_that_was_left_out(ada):
    bot = make_bot(ada, trading={"cash": 5000, "stop_loss": "0.02"})
    assert (bot.state, bot.desired, bot.version) == ("created", "stopped", 1)
    assert (bot.timeframe, bot.drive, bot.max_entry_age_s) == ("1m", "live", None)
    assert bot.trading["cash"] == "5000"
    assert bot.trading["taker_bps"] == "10"
    assert bot.trading["stop_loss"] == "0.02"
    event = bot.events.get()
    assert (event.kind, event.actor, event.source) == ("created", ada, "person")


def test_every_field_that_is_wrong_is_named_at_once_with_what_was_meant(ada):
    make_market()
    make_config()
    errors = refusal(
        checked,
        ada,
        {
            "name": " ",
            "symbol": "BTC-USTD",
            "config": "EMA 3/8",
            "tradign": {},
            "max_entry_age_s": 0,
            "speed": 10,
            "from": "yesterday",
        },
    )
    assert errors["name"] == "expected 1 to 64 characters"
    assert errors["symbol"].endswith("did you mean 'BTC-USDT'?")
    assert errors["config"].endswith("did you mean 'EMA 3/9'?")
    assert errors["tradign"].endswith("did you mean 'trading'?")
    assert errors["max_entry_age_s"].startswith("expected a whole number")
    assert errors["from"].startswith("expected a time with its zone")
    assert "speed" not in errors


def test_settings_of_trading_are_named_one_by_one(ada):
    make_market()
    make_config()
    errors = refusal(checked, ada, {**GIVEN, "trading": {"stop_los": 1, "cash": "much"}})
    assert errors["trading.stop_los"].endswith("did you mean 'stop_loss'?")
    assert errors["trading.cash"].startswith("expected a finite number")
    errors = refusal(checked, ada, {**GIVEN, "trading": {"stop_loss": 2}})
    assert errors == {"trading.stop_loss": "expected a share above 0, 1 at most; was 2"}
    errors = refusal(checked, ada, {**GIVEN, "trading": {"allow_short": True}})
    assert list(errors) == ["trading.allow_short"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 7),
        ("name", "x" * 65),
        ("name", "a\0b"),
        ("symbol", None),
        ("config", ["EMA 3/9"]),
        ("config_version", 9),
        ("config_version", True),
        ("timeframe", "1h"),
        ("trading", [1]),
        ("notes", "n" * 10_001),
        ("max_entry_age_s", "60"),
        ("max_entry_age_s", 10**12),
        ("from", "2026-01-01T00:00"),
        ("from", "2026-01-01T00:00:30Z"),
        ("from", "2026-13-01T00:00Z"),
        ("speed", 2),
        ("speed", 0),
    ],
)
def test_a_wrong_value_is_refused_under_its_field(ada, field, value):
    make_market()
    make_config()
    assert list(refusal(checked, ada, {**GIVEN, field: value})) == [field]


def test_ones_own_configuration_comes_before_everybodys_and_nobody_elses_is_found(ada, bob):
    make_market()
    everybodys, adas = make_config(), make_config(ada)
    make_config(bob, "Bob's")
    assert checked(ada, GIVEN).config == adas
    assert checked(bob, GIVEN).config == everybodys
    assert "config" in refusal(checked, ada, {**GIVEN, "config": "Bob's"})


def test_the_speed_of_a_rehearsal_that_runs_is_not_changed(ada):
    bot = make_running(make_bot(ada, **{"from": "2026-01-31T00:00Z", "speed": 600}))
    errors = refusal(edit_bot, bot, {"speed": 60}, ada)
    assert errors == {"speed": "its clock is running: stop it first, and start it again"}
    assert edit_bot(bot, {"speed": 600, "notes": "fast"}, ada).notes == "fast"
    stop_bot(bot, ada, flatten=False)
    BotRun.objects.update(end=MINUTE, ended_at=MINUTE, end_reason="stopped", last_kernel=b"")
    assert edit_bot(bot, {"speed": 60}, ada).drive_speed == 60


def test_a_bot_on_stored_candles_has_a_begin_and_a_speed(ada):
    bot = make_bot(ada, **{"from": "2026-01-31T02:00+02:00", "speed": 60})
    assert (bot.drive, bot.drive_speed) == ("stored", 60.0)
    assert bot.drive_from.isoformat() == "2026-01-31T00:00:00+00:00"


def test_a_bot_on_stored_candles_is_refused_where_none_follows(ada):
    bot = make_bot(ada, **{"from": "2026-01-31T00:00Z"})
    told = {"from": f"no candle of {bot.instrument} is stored from then on"}
    assert refusal(checked, ada, {**GIVEN, "from": "2026-01-31T00:01Z"}) == told
    assert refusal(clone_bot, bot, ada, {"from": "2026-02-01T00:00Z"}) == told


def test_one_name_once_for_each_owner(ada, bob):
    make_bot(ada)
    make_bot(bob)
    errors = refusal(create_bot, ada, checked(ada, GIVEN))
    assert errors == {"name": "there is a bot called 'EMA on BTC' already"}


def test_a_clone_has_the_settings_of_its_model_and_a_name_of_its_own(ada, bob):
    bot = make_bot(ada, trading={"cash": 777}, notes="mine")
    again = clone_bot(bot, ada)
    assert (again.name, again.trading, again.notes) == ("EMA on BTC 2", bot.trading, "mine")
    assert clone_bot(bot, ada, {"name": "third", "trading": {"cash": 5}}).name == "third"
    assert clone_bot(bot, bob).owner == bob


def test_a_clone_of_somebody_elses_needs_a_configuration_of_ones_own(ada, bob):
    make_market()
    make_config(ada)
    bot = create_bot(ada, checked(ada, GIVEN))
    assert list(refusal(clone_bot, bot, bob)) == ["config"]
    make_config(bob)
    assert clone_bot(bot, bob, {"config": "EMA 3/9"}).config.owner == bob


def test_an_edit_is_the_next_version_and_says_what_changed(ada):
    bot = make_bot(ada)
    slow = make_config(name="EMA slow", timeframe="5m")
    edited = edit_bot(bot, {"config": "EMA slow", "trading": {"stop_loss": "0.05"}}, ada)
    assert (edited.version, edited.config, edited.timeframe) == (2, slow, "5m")
    assert edited.trading["stop_loss"] == "0.05"
    assert edited.trading["cash"] == "10000", "what was not given stays"
    event = edited.events.filter(kind="edited").get()
    assert event.details["stop_loss"] == ["None", "0.05"]
    assert event.details["timeframe"] == ["1m", "5m"]


def test_a_name_is_no_new_version_and_no_change_no_event(ada):
    bot = make_bot(ada)
    assert edit_bot(bot, {"name": "Other", "notes": "why"}, ada).version == 1
    edit_bot(bot, {"name": "Other"}, ada)
    assert bot.events.filter(kind="edited").count() == 1


def test_what_a_bot_keeps_for_life_is_not_edited(ada):
    bot = make_bot(ada)
    make_market("ETH-USDT")
    assert list(refusal(edit_bot, bot, {"symbol": "ETH-USDT"}, ada)) == ["symbol"]
    assert list(refusal(edit_bot, bot, {"from": "2026-01-01T00:00Z"}, ada)) == ["from"]
    assert edit_bot(bot, {"trading": {"cash": "20000"}}, ada).trading["cash"] == "20000"
    begin(bot)
    assert list(refusal(edit_bot, bot, {"trading": {"cash": "1"}}, ada)) == ["trading.cash"]


def test_a_living_bot_gets_no_unproved_configuration(ada):
    bot = make_running(make_bot(ada))
    unproved = make_config(name="EMA new", proven=False)
    errors = refusal(edit_bot, bot, {"config": "EMA new"}, ada)
    assert "was not proved yet" in errors["config"]
    StrategyConfig.objects.filter(pk=unproved.pk).update(
        is_proven=True, proven_at=timezone.now(), proven_code=bot.config.proven_code
    )
    assert edit_bot(bot, {"config": "EMA new"}, ada).version == 2
    unproved.refresh_from_db()
    assert unproved.used_at is not None


def test_starting_asks_for_the_step_and_notes_that_the_configuration_is_used(
    ada, django_capture_on_commit_callbacks
):
    bot = make_bot(ada)
    with django_capture_on_commit_callbacks() as asked:
        start_bot(bot, ada, "now")
    assert any(one.__qualname__.startswith("ask_for") for one in asked)
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("starting", "running")
    assert bot.config.used_at is not None
    event = bot.events.filter(kind="state").get()
    assert (event.before, event.after, event.actor, event.why) == (
        *("created", "starting"),
        *(ada, "now"),
    )


def test_what_was_not_proved_does_not_start_and_the_error_says_how_to_prove_it(ada):
    make_market()
    config = make_config(proven=False)
    bot = create_bot(ada, checked(ada, GIVEN))
    told = refusal(start_bot, bot, ada)["config"]
    assert f"/api/v1/strategy-configs/{config.pk}/check/" in told
    assert "was not proved yet" in told
    StrategyConfig.objects.update(
        is_proven=True, proven_at=timezone.now(), proven_code="of other code"
    )
    assert "was proved with other code" in refusal(start_bot, bot, ada)["config"]
    bot.refresh_from_db()
    assert bot.state == "created"


def test_a_live_bot_needs_collection_and_one_on_stored_candles_does_not(ada):
    live, stored = make_bot(ada), make_bot(ada, "stored", **{"from": "2026-01-01T00:00Z"})
    Instrument.objects.update(is_enabled=False)
    assert "not collected" in refusal(start_bot, live, ada)["symbol"]
    assert start_bot(stored, ada).state == "starting"


def test_no_more_bots_start_than_the_owner_allows(ada, bob):
    set_limits(ada, {"max_open_bots": 1}, ada)
    start_bot(make_bot(ada, "one"), ada)
    second = make_bot(ada, "two")
    refused = {"max_open_bots": "1 of your bots are alive, 1 may be: stop one first"}
    assert refusal(start_bot, second, ada) == refused
    assert start_bot(make_bot(bob), bob).state == "starting"
    stop_bot(Bot.objects.get(name="one"), ada)
    assert start_bot(second, ada).state == "starting"


def test_while_a_verdict_stands_nothing_starts_and_nothing_resumes(ada):
    bot, running = make_bot(ada), make_running(make_bot(ada, "running"))
    verdict = OwnerVerdict.objects.create(
        owner=ada, limit="max_drawdown", action="block", time=timezone.now()
    )
    assert list(refusal(start_bot, bot, ada)) == ["max_drawdown"]
    assert list(refusal(resume_bot, running, ada)) == ["max_drawdown"]
    OwnerVerdict.objects.filter(pk=verdict.pk).update(lifted_at=timezone.now())
    assert start_bot(bot, ada).state == "starting"


def test_settings_that_are_no_longer_possible_do_not_start(ada):
    bot = make_bot(ada)
    Bot.objects.update(trading={**bot.trading, "stop_loss": "2"})
    assert list(refusal(start_bot, bot, ada)) == ["trading.stop_loss"]


@pytest.mark.parametrize(
    ("order", "kind", "desired"),
    [(pause_bot, "pause", "paused"), (flatten_bot, "flatten", "running")],
)
def test_orders_of_a_running_bot_wait_for_its_step(ada, order, kind, desired):
    bot = make_running(make_bot(ada))
    order(bot, ada, "because")
    command = BotCommand.objects.get()
    assert (command.kind, command.source, command.asked_by) == (kind, "person", ada)
    assert (command.why, command.applied_at) == ("because", None)
    bot.refresh_from_db()
    assert (bot.state, bot.desired) == ("running", desired)


def test_stopping_flattens_unless_the_position_is_to_be_kept(ada):
    one, two = (make_running(make_bot(ada, name)) for name in ("one", "two"))
    stop_bot(one, ada)
    stop_bot(two, ada, flatten=False)
    assert list(BotCommand.objects.values_list("bot__name", "kind")) == [("one", "flatten")]
    assert set(Bot.objects.values_list("state", "desired")) == {("stopping", "stopped")}


def test_a_bot_without_a_run_stops_at_once(ada):
    bot = start_bot(make_bot(ada), ada)
    assert stop_bot(bot, ada).state == "stopped"
    assert not BotCommand.objects.exists()


@pytest.mark.parametrize("order", [pause_bot, resume_bot, flatten_bot, stop_bot])
def test_orders_that_make_no_sense_are_refused_with_the_state(ada, order):
    bot = make_bot(ada)
    assert refusal(order, bot, ada)["bot"].startswith("EMA on BTC is created: it cannot be ")


def test_what_runs_is_not_started_edited_away_or_deleted(ada):
    bot = make_running(make_bot(ada))
    assert "is running" in refusal(start_bot, bot, ada)["bot"]
    assert "stop it before it is deleted" in refusal(delete_bot, bot, ada)["bot"]
    assert "stop it before it is reset" in refusal(reset_bot, bot, ada)["bot"]


def test_a_failed_bot_keeps_its_run_until_it_is_stopped(ada):
    bot = make_running(make_bot(ada))
    change_state(bot, "error", source="step", why="it raised")
    assert "stop it" in refusal(delete_bot, bot, ada)["bot"]
    stop_bot(bot, ada)
    bot.refresh_from_db()
    assert bot.state == "stopping"


def test_a_deleted_bot_frees_its_name_and_keeps_its_history(ada):
    bot = make_bot(ada)
    delete_bot(bot, ada)
    make_bot(ada)
    assert Bot.objects.filter(deleted_at=None).count() == 1
    assert BotEvent.objects.filter(bot=bot).count() == 2
    assert "was deleted" in refusal(start_bot, bot, ada)["bot"]


def test_a_reset_begins_anew_under_the_same_name(ada):
    bot = make_bot(ada, trading={"cash": 50})
    anew = reset_bot(bot, ada)
    assert anew.pk != bot.pk
    assert (anew.name, anew.state, anew.trading) == (bot.name, "created", bot.trading)


@pytest.mark.parametrize(
    "given",
    [
        {"max_daily_loss": 0},
        {"max_drawdown": 1.5},
        {"max_exposure": "much"},
        {"max_exposure": float("nan")},
        {"max_open_bots": 1.5},
        {"max_open_bots": -1},
        {"action": "sell"},
        {"max_dayly_loss": 0.1},
    ],
)
def test_limits_that_are_none_are_refused_by_field(ada, given):
    assert list(refusal(set_limits, ada, given, ada)) == list(given)
    assert not OwnerLimits.objects.exists()


def test_limits_change_one_by_one_and_none_takes_one_away(ada):
    set_limits(ada, {"max_daily_loss": 0.05, "max_exposure": 2, "action": "halt"}, ada)
    limits = set_limits(ada, {"max_daily_loss": None}, ada)
    assert (limits.max_daily_loss, limits.max_exposure, limits.action) == (None, 2, "halt")


def test_a_swap_may_be_sold_short(ada):
    make_instrument("ETH-USDT-SWAP", kind="swap", is_enabled=True)
    bot = make_bot(ada, symbol="ETH-USDT-SWAP", trading={"allow_short": True})
    assert bot.trading["allow_short"] is True
    assert bot.trading["taker_bps"] == "5"


def test_a_reset_over_rest_is_for_the_owner_of_a_bot_that_is_over(ada, bob):
    bot = make_running(make_bot(ada))
    url = f"/api/v1/bots/{bot.pk}/reset/"
    assert client_of(bob).post(url).status_code == 404
    assert client_of(ada).post(url).status_code == 409
    Bot.objects.filter(pk=bot.pk).update(state="stopped")
    BotRun.objects.update(end=MINUTE, ended_at=MINUTE, end_reason="stopped", last_kernel=bot.kernel)
    answer = client_of(ada).post(url)
    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["state"]) == (bot.name, "created")
