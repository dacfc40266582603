"""The pages of bots: what they show, and what their forms make."""

from __future__ import annotations

import json

import pytest

from bots.models import Bot
from tests.bots.web.rows import make_bot, make_config, run_bot

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


def test_limits_are_set_in_per_cent(ann, browser_of):
    given = {"max_daily_loss": "5", "action": "halt"}
    answer = browser_of(ann).post("/portfolio/limits", given)
    assert answer.status_code == 302, answer.content.decode()
    ann.refresh_from_db()
    assert (ann.bot_limits.max_daily_loss, ann.bot_limits.action) == (0.05, "halt")


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
