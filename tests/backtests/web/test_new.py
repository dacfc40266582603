"""The form of a new backtest: what it asks for, refuses, keeps and suggests."""

from __future__ import annotations

import re

import pytest

from backtests.models import Backtest
from strategies.loading import checked
from strategies.services import create_config
from tests.backtests.web.conftest import FORM, utc

URL = "/backtests/new/"


def field(html, name):
    """Return the part of the page that one field takes."""
    start = html.index(f'name="{name}"')
    return html[html.rindex('<div class="field', 0, start) : html.index("</div>", start)]


def test_the_form_begins_with_the_newest_days_of_the_first_instrument(btc, trader):
    html = trader.get(URL).content.decode()
    assert 'value="okx-sim:BTC-USDT" selected' in html
    assert 'value="2025-11-22T00:00"' in field(html, "start")
    assert 'value="2025-11-24T00:00"' in field(html, "end")
    assert "100% of the range is stored complete" in html
    assert 'min="1"' in field(html, "params.fast")
    assert "Candles of the quick average" in field(html, "params.fast")


def test_without_stored_candles_it_says_where_to_get_some(trader):
    assert "No candles are stored yet" in trader.get(URL).content.decode()


def test_what_the_form_says_is_asked_for(btc, trader):
    given = FORM | {
        "trading.stop_loss": "2.5",
        "trading.size": "50",
        "trading.taker_bps": "7",
        "trading.cooldown_minutes": "30",
    }
    answer = trader.post(URL, given)
    backtest = Backtest.objects.get()
    assert answer.url == f"/backtests/{backtest.pk}/"
    assert backtest.owner.username == "ann"
    assert backtest.parameters == {"fast": 3, "slow": 9, "sides": "long"}
    assert (backtest.start, backtest.end) == (utc(2025, 11, 22, 6), utc(2025, 11, 24))
    assert (backtest.tags, backtest.notes) == (["first", "second"], "a try")
    told = backtest.trading
    assert (told["stop_loss"], told["size"], told["taker_bps"]) == ("0.025", "0.5", "7")
    assert (told["cooldown_minutes"], told["take_profit"]) == (30, None)


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"params.fast": "0"}, "params.fast", "Expected a number from 1 to"),
        ({"params.fast": "ten"}, "params.fast", "Expected a number; was"),
        ({"params.fast": "9"}, "params.fast", "Expected a value below slow"),
        ({"end": "2025-11-22T06:00"}, "end", "Expected a time after start."),
        ({"start": "yesterday"}, "start", "Enter a valid date/time."),
        ({"start": "2020-01-01T00:00", "end": "2020-02-01T00:00"}, "start", "are stored complete"),
        ({"instrument": "okx-sim:NO-SUCH"}, "instrument", "Select a valid choice"),
        ({"timeframe": "7m"}, "timeframe", "Select a valid choice"),
        ({"trading.cash": "0"}, "trading.cash", "above 0"),
        ({"trading.cash": "NaN"}, "trading.cash", "Enter a number."),
        ({"trading.stop_loss": "101"}, "trading.stop_loss", "less than or equal to 100"),
        ({"trading.size": "101"}, "trading.size", "Expected 100 per cent at most."),
        ({"trading.taker_bps": "2000"}, "trading.taker_bps", "less than or equal to 1000"),
        ({"trading.sizing": "risk"}, "trading.stop_loss", "sizing by risk needs a stop-loss"),
        ({"trading.allow_short": "on"}, "trading.allow_short", "cannot be sold short"),
        ({"tags": ",".join(map(str, range(21)))}, "tags", "at most 20 tags"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(btc, trader, changes, name, reason):
    answer = trader.post(URL, FORM | changes)
    html = answer.content.decode()
    assert answer.status_code == 200
    shown = re.search(rf'id="id_{re.escape(name)}_error">([^<]*)<', html)
    assert shown is not None
    assert reason.lower() in shown[1].lower()
    assert Backtest.objects.count() == 0


def test_a_refused_form_keeps_what_was_typed(btc, trader):
    changes = {"params.fast": "7", "params.slow": "5", "notes": "keep me", "trading.cash": "123"}
    html = trader.post(URL, FORM | changes).content.decode()
    assert 'value="7"' in field(html, "params.fast")
    assert 'value="123"' in field(html, "trading.cash")
    assert "keep me" in html
    assert 'value="2025-11-22T06:00"' in field(html, "start")


def test_parameters_follow_the_strategy(btc, trader):
    html = trader.get(f"{URL}parameters", {"strategy": "macd"}).content.decode()
    assert 'name="params.signal"' in html
    assert 'value="9"' in field(html, "params.signal")
    assert 'name="params.signal"' not in trader.get(f"{URL}parameters").content.decode()


def test_an_unknown_strategy_is_refused_by_name(btc, trader):
    answer = trader.post(URL, FORM | {"strategy": "ema_crosover"})
    assert answer.status_code == 200
    assert "there is no strategy" in answer.content.decode()


def test_a_configuration_fills_the_form_and_is_used_unless_it_is_changed(btc, ann, trader):
    params = {"fast": 4, "slow": 8}
    draft = checked(
        {"name": "mine", "strategy": "ema_crossover", "timeframe": "15m", "params": params}
    )
    config = create_config(ann, draft)
    html = trader.get(f"{URL}parameters", {"config": config.pk}).content.decode()
    assert 'data-timeframe="15m"' in html
    assert 'value="4"' in field(html, "params.fast")
    same = {"config": config.pk, "params.fast": "4", "params.slow": "8", "timeframe": "15m"}
    trader.post(URL, FORM | same)
    trader.post(URL, FORM | same | {"params.slow": "10"})
    changed, used = Backtest.objects.all()
    assert (used.config, changed.config) == (config, None)
    config.refresh_from_db()
    assert config.used_at is not None


def test_others_configurations_are_not_offered(btc, ann, stranger):
    draft = checked({"name": "secret", "strategy": "ema_crossover", "timeframe": "1h"})
    config = create_config(ann, draft)
    html = stranger.get(URL, {"config": config.pk}).content.decode()
    assert "secret" not in html


def test_a_clone_begins_with_what_was_asked_for(done, trader, stranger):
    html = trader.get(URL, {"from": done.pk}).content.decode()
    assert 'value="3"' in field(html, "params.fast")
    assert 'value="10000"' in field(html, "trading.cash")
    assert 'value="100"' in field(html, "trading.size")
    assert 'value="2025-11-22T06:00"' in field(html, "start")
    assert stranger.get(URL, {"from": done.pk}).status_code == 404


def test_coverage_says_what_a_range_is_worth(btc, trader):
    asked = {"instrument": "okx-sim:BTC-USDT", "start": "2025-11-22T00:00"}
    whole = trader.get(f"{URL}coverage", asked | {"end": "2025-11-24T00:00"}).content.decode()
    assert 'data-tone="good"' in whole
    half = trader.get(f"{URL}coverage", asked | {"end": "2025-11-25T00:00"}).content.decode()
    assert 'data-tone="warn"' in half
    assert "66.66% of the range" in half
    little = trader.get(f"{URL}coverage", asked | {"end": "2025-12-24T00:00"}).content.decode()
    assert "too little for a backtest" in little
    assert 'data-start="2025-11-22T00:00" data-end="2025-11-24T00:00">All' in little


@pytest.mark.parametrize(
    "query",
    [
        {"instrument": "nowhere"},
        {"instrument": "okx-sim:BTC-USDT", "start": "x", "end": "9999-99-99T99:99"},
        {"instrument": "okx-sim:BTC-USDT", "start": "2025-11-24T00:00", "end": "2025-11-22T00:00"},
    ],
)
def test_nonsense_in_the_range_shows_no_share(btc, trader, query):
    answer = trader.get(f"{URL}coverage", query)
    assert answer.status_code == 200
    assert "of the range" not in answer.content.decode()
