"""What the lists on the page of a bot say of orders and of changes."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from bots.models import Bot, BotCommand
from bots.services import edit_bot
from tests.bots.web.rows import add_fill, make_bot, make_config

pytestmark = pytest.mark.django_db


def test_an_order_that_came_too_late_is_never_said_to_wait(anns, browser_of):
    client = browser_of(anns.owner)
    command = BotCommand.objects.create(bot=anns, kind="flatten", asked_by=anns.owner)
    page = client.get(f"/bots/{anns.pk}/?records=commands").content.decode()
    assert "takes effect with the next step" in page
    assert "Waiting" in page
    BotCommand.objects.filter(pk=command.pk).update(dropped_at=timezone.now())
    page = client.get(f"/bots/{anns.pk}/?records=commands").content.decode()
    assert "takes effect with the next step" not in page
    assert "Waiting" not in page
    assert "Never" in page
    (told,) = client.get(f"/api/v1/bots/{anns.pk}/commands/").json()["results"]
    assert told["dropped_at"] is not None


def test_an_edit_tells_what_was_and_what_is(ann, btc, browser_of):
    bot = make_bot(ann, btc)
    edit_bot(bot, {"trading": {"stop_loss": "0.02"}}, ann)
    edit_bot(bot, {"trading": {"stop_loss": "0.03"}}, ann)
    page = browser_of(ann).get(f"/bots/{bot.pk}/?records=events").content.decode()
    cells = re.findall(r'<td class="wide ">([^<]*)</td>', page)
    assert "stop loss 0.02 → 0.03" in cells


def test_stops_of_an_older_stretch_are_those_of_its_own_round_trips(anns, browser_of, monkeypatch):
    run = anns.run
    run.trading = anns.trading | {"stop_loss": "0.02", "trailing_stop": "0.1"}
    run.save()
    for number in range(3, 9):
        is_buy = number % 2
        sign = "" if is_buy else "-"
        held = "0.1" if is_buy else "0"
        add_fill(run, number, 30 * number, f"{sign}0.1", "61000", position=held)
    monkeypatch.setattr("bots.views.price.MOST_MARKS", 3)
    start = int(run.start.timestamp() * 1000) + 20 * 60_000
    query = f"start={start}&end={start + 20 * 60_000}"
    told = browser_of(anns.owner).get(f"/bots/layers/{anns.pk}/?{query}").json()
    assert told["marks"]["side"] == ["sell"]
    fixed, trailing = told["lines"]
    assert (fixed["title"], fixed["value"]) == ("Stop-loss", [58_800.0, 58_800.0, None])
    assert (trailing["title"], trailing["value"][0]) == ("Trailing stop", 54_000.0)


def test_fills_ledger_and_equity_are_there_to_be_taken_away(anns, browser_of):
    client = browser_of(anns.owner)
    pages = [client.get(f"/bots/{anns.pk}/?records={name}") for name in ("fills", "ledger")]
    found = set(re.findall(r'/export/(\w+\.\w+)"', "".join(one.content.decode() for one in pages)))
    kinds = ("fills", "ledger", "equity")
    assert found == {f"{kind}.{suffix}" for kind in kinds for suffix in ("csv", "json")}


def test_how_many_bots_are_at_work_is_told_of_all_however_the_table_is_narrowed(anns, browser_of):
    failed = make_bot(anns.owner, anns.instrument, "failed")
    Bot.objects.filter(pk=failed.pk).update(state="error")
    for query in ("", "?state=created", "?state=error"):
        page = browser_of(anns.owner).get(f"/bots/list{query}").content.decode()
        assert 'data-counts="1 at work, 1 in trouble"' in page
    assert "1 at work, 1 in trouble</span>" in browser_of(anns.owner).get("/bots/").content.decode()


def test_a_rehearsal_from_when_nothing_is_stored_is_refused_beside_its_field(ann, btc, browser_of):
    given = {
        "name": "later",
        "instrument": str(btc),
        "config": str(make_config().pk),
        "trading.cash": "10000",
        "trading.sizing": "fraction",
        "trading.size": "100",
        "drive_from": "2026-11-10T00:00",
        "drive_speed": "60",
    }
    page = browser_of(ann).post("/bots/new/", given).content.decode()
    assert f"No candle of {btc} is stored from then on." in page
    assert not Bot.objects.filter(owner=ann).exists()
