"""The pages of bots: what they show, and what their forms make."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backtests.domain.settings import Trading
from backtests.domain.trading_json import trading_as_json
from bots.models import Bot
from tcpdashboard.common.alerts import raise_alert
from tests.bots.web.rows import add_everything, add_fill, make_bot, make_config, run_bot
from tests.people import make_staff

pytestmark = pytest.mark.django_db


def test_the_page_of_bots_says_how_to_begin_when_there_is_none(ann, browser_of):
    page = browser_of(ann).get("/bots/").content.decode()
    assert "You have no bot yet" in page
    assert "/bots/new/" in page


def test_the_table_shows_equity_profit_and_drawdown_from_the_kernels_record(anns, browser_of):
    # 10,000 put in, the day began at 10,100, the best was 10,200, now 10,098: in units of 1e-9.
    bot = make_bot(anns.owner, anns.instrument, "second")
    unit = 10**9
    run_bot(bot, equity=10_098 * unit, day_equity=10_100 * unit, peak=10_200 * unit)
    page = browser_of(anns.owner).get("/bots/").content.decode()
    assert "10,098.00" in page
    assert "\N{MINUS SIGN}2.00" in page
    assert "+98.00" in page
    assert "1.00%" in page


@pytest.mark.parametrize(
    "records",
    ["fills", "trips", "orders", "signals", "ledger", "events", "commands", "runs", "parity"],
)
def test_the_page_of_a_bot_shows_every_list(anns, browser_of, records):
    answer = browser_of(anns.owner).get(f"/bots/{anns.pk}/?records={records}")
    assert answer.status_code == 200
    assert 'aria-current="true"' in answer.content.decode()


def test_a_round_trip_gains_what_it_realised_less_both_fees(anns, browser_of):
    page = browser_of(anns.owner).get(f"/bots/{anns.pk}/records?records=trips").content.decode()
    assert "+98.00" in page


def test_a_failure_is_readable_with_its_traceback(anns, browser_of):
    Bot.objects.filter(pk=anns.pk).update(
        state="error", last_error="ZeroDivisionError: division by zero", last_traceback="line 7"
    )
    page = browser_of(anns.owner).get(f"/bots/{anns.pk}/").content.decode()
    assert "division by zero" in page
    assert "line 7" in page


def test_notes_are_kept_without_a_new_version(anns, browser_of):
    answer = browser_of(anns.owner).post(f"/bots/{anns.pk}/notes", {"notes": "watch it"})
    assert answer.status_code == 302
    anns.refresh_from_db()
    assert (anns.notes, anns.version) == ("watch it", 1)


def test_the_form_makes_a_bot_with_shares_for_per_cents(ann, btc, browser_of):
    config = make_config()
    answer = browser_of(ann).post("/bots/new/", filled(btc, config, stop="2.5"))
    assert answer.status_code == 302, answer.content.decode()
    bot = Bot.objects.get(owner=ann)
    assert bot.trading["stop_loss"] == "0.025"
    assert (bot.config, bot.state) == (config, "created")


def test_what_is_wrong_stands_beside_its_field(ann, btc, browser_of):
    given = filled(btc, make_config()) | {"name": "", "trading.size": "150"}
    answer = browser_of(ann).post("/bots/new/", given)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "This field is required." in page
    assert "100 per cent at most" in page
    assert not Bot.objects.exists()


def test_a_name_that_is_taken_is_told_beside_the_name(anns, browser_of):
    given = filled(anns.instrument, anns.config) | {"name": anns.name}
    answer = browser_of(anns.owner).post("/bots/new/", given)
    assert answer.status_code == 200
    assert anns.name in answer.content.decode()


def test_editing_what_decides_makes_the_next_version(ann, btc, browser_of):
    bot = make_bot(ann, btc, config=make_config())
    page = browser_of(ann).get(f"/bots/{bot.pk}/edit/")
    assert page.status_code == 200
    given = filled(btc, bot.config, stop="3")
    answer = browser_of(ann).post(f"/bots/{bot.pk}/edit/", given | {"name": "renamed"})
    assert answer.status_code == 302, answer.content.decode()
    bot.refresh_from_db()
    assert (bot.name, bot.version, bot.trading["stop_loss"]) == ("renamed", 2, "0.03")


def test_a_stop_that_is_emptied_is_off(ann, btc, browser_of):
    bot = make_bot(ann, btc, config=make_config())
    browser_of(ann).post(f"/bots/{bot.pk}/edit/", filled(btc, bot.config, stop="3"))
    browser_of(ann).post(f"/bots/{bot.pk}/edit/", filled(btc, bot.config))
    bot.refresh_from_db()
    assert (bot.version, bot.trading["stop_loss"]) == (3, None)


def test_the_layer_of_a_bot_has_its_fills_in_the_stretch(anns, browser_of):
    start = int(anns.run.start.timestamp() * 1000)
    query = f"start={start}&end={start + 20 * 60_000}"
    told = browser_of(anns.owner).get(f"/bots/layers/{anns.pk}/?{query}").json()
    assert told["marks"]["side"] == ["signal", "buy"]
    assert told["marks"]["price"] == [60_000.0, 60_000.0]
    listed = browser_of(anns.owner).get("/bots/layers/?exchange=okx-sim&symbol=BTC-USDT").json()
    assert [one["key"] for one in listed["layers"]] == [f"bot:{anns.pk}"]


def test_the_portfolio_adds_up_what_the_bots_have(anns, browser_of):
    answer = browser_of(anns.owner).get("/portfolio/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "10,000.00" in page
    curve = json.loads(page.split('id="portfolio-curve" type="application/json">')[1].split("<")[0])
    assert curve["equity"] == [10_000.0, 10_050.0, 10_098.0]


def test_the_portfolio_says_of_which_bots_its_curve_is_and_sums_them_all(
    ann, btc, browser_of, monkeypatch
):
    monkeypatch.setattr("bots.models.portfolios.MOST_CHARTED", 2)
    for number in range(3):
        run_bot(make_bot(ann, btc, f"bot {number}"))
    page = browser_of(ann).get("/portfolio/").content.decode()
    assert "the 2 of your 3 live bots that hold most, in USDT" in page
    assert "of the 2 bots that hold most" in page
    told = browser_of(ann).get("/api/v1/portfolio/").json()
    assert (told["charted"], told["totals"]["bots"], told["totals"]["equity"]) == (2, 3, 30_000.0)


def test_of_many_bots_the_worst_are_shown_as_well_as_the_best(ann, btc, browser_of, monkeypatch):
    monkeypatch.setattr("bots.views.portfolio._MOST_RANKED", 1)
    for number in range(4):
        run_bot(make_bot(ann, btc, f"bot {number}"))
    page = browser_of(ann).get("/portfolio/").content.decode()
    ranking = page.split('id="ranking"')[1].split("</section>")[0]
    assert re.findall(r">(bot \d)<", ranking) == ["bot 0", "bot 3"]
    assert "the first and the last of 4" in ranking


def test_limits_are_set_in_per_cent(ann, browser_of):
    given = {"max_daily_loss": "5", "action": "halt"}
    answer = browser_of(ann).post("/portfolio/limits", given)
    assert answer.status_code == 302, answer.content.decode()
    ann.refresh_from_db()
    assert (ann.bot_limits.max_daily_loss, ann.bot_limits.action) == (0.05, "halt")


def test_a_bot_that_is_over_can_be_reset_and_a_failed_one_stopped_first(ann, btc, browser_of):
    bot = make_bot(ann, btc)
    run_bot(bot)
    orders = {}
    for state in ("stopped", "halted", "error"):
        Bot.objects.filter(pk=bot.pk).update(state=state)
        page = browser_of(ann).get(f"/bots/{bot.pk}/").content.decode()
        orders[state] = re.findall(r'data-order="(\w+)"', page)
    assert orders["stopped"] == orders["halted"] == ["start", "reset", "delete", "clone"]
    # Its run is open: it is refused to be deleted or reset.
    assert orders["error"] == ["start", "stop", "clone"]


def test_settings_are_told_in_the_words_of_the_form_with_their_units(ann, btc, browser_of):
    trading = trading_as_json(Trading()) | {"stop_loss": "0.025", "cooldown_minutes": 90}
    bot = make_bot(ann, btc)
    Bot.objects.filter(pk=bot.pk).update(trading=trading)
    page = browser_of(ann).get(f"/bots/{bot.pk}/").content.decode()
    told = dict(re.findall(r'<div><dt>([^<]+)</dt><dd class="num">([^<]+)</dd></div>', page))
    expected = {
        "Initial balance": "10,000\N{NO-BREAK SPACE}USDT",
        "Size of a position": "Per cent of the equity",
        "Size": "100%",
        "Stop-loss": "2.5%",
        "Slippage": "5\N{NO-BREAK SPACE}bps",
        "Cooldown": "90\N{NO-BREAK SPACE}minutes",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert "May sell short" not in told
    assert "Take-profit" not in told


def test_notes_that_cannot_be_stored_are_refused_in_a_sentence(anns, browser_of):
    answer = browser_of(anns.owner).post(f"/bots/{anns.pk}/notes", {"notes": "a\0b"}, follow=True)
    assert answer.status_code == 200
    assert "The notes were not saved" in answer.content.decode()
    anns.refresh_from_db()
    assert anns.notes == ""


def test_the_chosen_configuration_is_taken_and_not_another_of_its_name(ann, btc, browser_of):
    everybodys, own = make_config(name="twice"), make_config(ann, name="twice")
    for config in (everybodys, own):
        given = filled(btc, config) | {"name": f"by {config.pk}"}
        assert browser_of(ann).post("/bots/new/", given).status_code == 302
        assert Bot.objects.get(name=f"by {config.pk}").config == config


def test_without_a_configuration_the_form_says_where_one_comes_from(ann, btc, browser_of):
    page = browser_of(ann).get("/bots/new/").content.decode()
    assert "No strategy configuration is saved yet" in page
    assert 'href="/strategies/"' in page
    make_config()
    page = browser_of(ann).get("/bots/new/").content.decode()
    assert "No strategy configuration is saved yet" not in page


def test_fewer_bots_allowed_than_are_at_work_is_told(anns, browser_of):
    client = browser_of(anns.owner)
    given = {"max_open_bots": "0", "action": "block"}
    page = client.post("/portfolio/limits", given, follow=True).content.decode()
    assert "1 of your bots are at work, 0 may be: they go on, and no other starts." in page
    page = client.post("/portfolio/limits", given | {"max_open_bots": "1"}, follow=True)
    assert "are at work, " not in page.content.decode()


def test_stops_are_drawn_by_the_rules_of_the_run_that_entered(ann, btc, browser_of):
    bot = make_bot(ann, btc)
    run = run_bot(bot)
    run.trading = trading_as_json(Trading()) | {"stop_loss": "0.02"}
    run.save()
    add_fill(run, 1, 15, "0.1", "60000", position="0.1")
    # Edited since: what is drawn of the past stays.
    Bot.objects.filter(pk=bot.pk).update(trading=trading_as_json(Trading()))
    start = int(run.start.timestamp() * 1000)
    query = f"start={start}&end={start + 3_600_000}"
    (line,) = browser_of(ann).get(f"/bots/layers/{bot.pk}/?{query}").json()["lines"]
    assert (line["title"], line["value"][0]) == ("Stop-loss", 58_800.0)


def test_a_trailing_stop_is_drawn_in_ticks_from_the_first_fill(ann, btc, browser_of):
    bot = make_bot(ann, btc)
    run = run_bot(bot)
    run.trading = trading_as_json(Trading()) | {"trailing_stop": "0.02"}
    run.save()
    add_fill(run, 1, 15, "0.1", "60001.3", position="0.1")
    add_fill(run, 2, 16, "0.1", "60010", position="0.2")
    start = int(run.start.timestamp() * 1000)
    query = f"start={start}&end={start + 3_600_000}"
    (line,) = browser_of(ann).get(f"/bots/layers/{bot.pk}/?{query}").json()["lines"]
    # 58,801.274 lies between two ticks.
    assert (line["title"], line["value"][0]) == ("Trailing stop", 58_801.2)


def test_figures_of_the_newest_fills_alone_say_so(anns, browser_of, monkeypatch):
    page = browser_of(anns.owner).get(f"/bots/{anns.pk}/").content.decode()
    assert "closed, of its last" not in page
    monkeypatch.setattr("bots.views.page.MOST_FILLS", 2)
    page = browser_of(anns.owner).get(f"/bots/{anns.pk}/").content.decode()
    assert "closed, of its last 2 fills" in page


def test_exposure_is_a_share_of_the_equity_that_is_there(ann, btc, browser_of):
    # 10,000 each: one holds 5,000 of it, one is flat, one was deleted.
    unit = 10**9
    holding, flat, gone = (make_bot(ann, btc, name) for name in ("holding", "flat", "gone"))
    run_bot(holding, cash=5_000 * unit)
    run_bot(flat)
    run_bot(gone)
    Bot.objects.filter(pk=gone.pk).update(state="stopped", deleted_at=timezone.now())
    (one,) = browser_of(ann).get("/api/v1/portfolio/").json()["exposure"]
    assert (one["worth"], one["share"], one["bots"]) == (5_000.0, 0.25, 1)


@pytest.mark.parametrize("path", ["/bots/", "/bots/list", "/api/v1/bots/", "/portfolio/"])
def test_a_page_takes_as_many_queries_for_many_bots(ann, btc, browser_of, path):
    run_bot(make_bot(ann, btc, "bot 0"))
    client = browser_of(ann)
    client.get(path)
    with CaptureQueriesContext(connection) as few:
        client.get(path)
    for number in range(1, 20):
        add_everything(run_bot(make_bot(ann, btc, f"bot {number}")))
    with CaptureQueriesContext(connection) as many:
        assert client.get(path).status_code == 200
    assert len(many) <= len(few) + 2


def test_the_alert_of_a_limit_leads_to_where_it_is_lifted(ann, bob, browser_of):
    raise_alert("owner_limit", "owner 1: max_drawdown", "Too much.", owner_id=ann.pk)
    link = 'href="/portfolio/#limits"'
    assert link in browser_of(ann).get("/alerts/").content.decode()
    assert link not in browser_of(make_staff("boss")).get("/alerts/").content.decode()


def filled(instrument, config, stop=""):
    return {
        "name": "new one",
        "instrument": str(instrument),
        "config": str(config.pk),
        "trading.cash": "10000",
        "trading.sizing": "fraction",
        "trading.size": "100",
        "trading.stop_loss": stop,
        "notes": "",
        "drive_speed": "60",
    }
