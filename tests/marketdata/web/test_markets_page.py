"""The Markets page: what is listed, what it says of feeds, who may switch collection."""

from __future__ import annotations

from datetime import timedelta

import psycopg2.extensions
import pytest
from django.db import connection
from django.utils import timezone

from marketdata.domain.timeframe import DAY_MS
from marketdata.models import Collector
from marketdata.storage import write_candles
from marketdata.views.feeds import FEEDS, feed_of, feed_settings
from marketdata.views.quotes import Quote, stored_quote, stored_quotes
from tests.marketdata.web.conftest import START_MS, make_instrument, wandering_minutes


@pytest.fixture(autouse=True)
def _simulated(settings):
    settings.EXCHANGE = "okx-sim"


@pytest.fixture
def statements(db):
    """What is sent to the database, COPY included, which Django does not count."""
    sent = []

    class Recording(psycopg2.extensions.cursor):
        def execute(self, query, *arguments):
            sent.append(str(query))
            return super().execute(query, *arguments)

        def copy_expert(self, query, *arguments):
            sent.append(query.as_string(self))
            return super().copy_expert(query, *arguments)

    usual = connection.connection.cursor_factory
    connection.connection.cursor_factory = Recording
    yield sent
    connection.connection.cursor_factory = usual


def page(client, **query):
    return client.get("/markets/", query).content.decode()


def test_collected_instruments_are_listed_with_a_link_to_their_chart(reader, btc):
    make_instrument("ETH-USDT")
    content = page(reader)
    assert 'href="/chart/okx-sim/BTC-USDT/15m/"' in content
    assert "ETH-USDT" not in content
    assert "All 2 listed" in content


def test_all_lists_what_could_be_collected_too(reader, btc):
    make_instrument("ETH-USDT")
    content = page(reader, show="all")
    assert content.index("BTC-USDT") < content.index("ETH-USDT")


def test_a_symbol_is_found_by_a_part_of_it(reader, btc):
    make_instrument("ETH-USDT", is_enabled=True)
    content = page(reader, q="et")
    assert "/chart/okx-sim/ETH-USDT/" in content
    assert "/chart/okx-sim/BTC-USDT/" not in content


def test_the_day_is_told_from_stored_candles(reader, btc):
    minutes = wandering_minutes(2 * 1440)
    write_candles(btc, minutes, reason="test")
    quote = stored_quote(btc)
    day = minutes[-1440:]
    assert quote.last == minutes["close"][-1]
    assert quote.change_24h == pytest.approx(minutes["close"][-1] / day["open"][0] - 1)
    assert quote.volume_24h_quote == pytest.approx(day["quote_volume"].sum())
    assert len(quote.sparkline.split()) == 48
    content = page(reader)
    assert f"{quote.last:,.1f}" in content
    assert "<polyline" in content


def test_the_day_of_each_instrument_is_its_own(btc):
    eth, ada = make_instrument("ETH-USDT"), make_instrument("ADA-USDT")
    write_candles(btc, wandering_minutes(600, seed=1), reason="test")
    write_candles(eth, wandering_minutes(300, seed=2), reason="test")
    quotes = stored_quotes([ada, eth, btc])
    assert quotes[btc.pk].last == wandering_minutes(600, seed=1)["close"][-1]
    assert quotes[eth.pk].last == wandering_minutes(300, seed=2)["close"][-1]
    assert quotes[ada.pk] == Quote(None, None, None, "")
    assert len(quotes[eth.pk].sparkline.split()) == 5
    assert stored_quotes([]) == {}


def test_fifty_instruments_ask_no_more_queries_than_one(reader, btc, statements):
    collector = Collector.objects.create(name="okx-sim", exchange="okx-sim")
    write_candles(btc, wandering_minutes(120), reason="test")
    statements.clear()
    page(reader)
    of_one = len(statements)
    assert sum("copy (" in each for each in statements) == 2
    for number in range(49):
        other = make_instrument(f"A{number}-USDT", is_enabled=True, collector=collector)
        if number < 3:
            write_candles(other, wandering_minutes(120, seed=number), reason="test")
    statements.clear()
    content = page(reader)
    assert len(statements) == of_one
    assert content.count("data-symbol=") == 50
    assert content.count("<polyline") == 4


def test_an_instrument_without_candles_shows_dashes(reader, btc):
    content = page(reader)
    assert '<td role="cell" class="num last">\N{EN DASH}</td>' in content


def test_a_change_is_of_24_hours_even_after_an_outage(btc):
    minutes = wandering_minutes(4 * 1440)
    write_candles(btc, minutes[:60], reason="test")
    write_candles(btc, minutes[-120:], reason="test")
    quote = stored_quote(btc)
    assert minutes["open_time_ms"][-120] > START_MS + 3 * DAY_MS
    assert quote.change_24h == pytest.approx(minutes["close"][-1] / minutes["open"][-120] - 1)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({}, "Nothing is collected yet"),
        ({"q": "xyz"}, "No symbol has “xyz” in it"),
        ({"exchange": "okx"}, "No instrument of okx is known yet"),
    ],
)
def test_an_empty_list_says_what_to_do(reader, query, sentence):
    make_instrument("ETH-USDT")
    assert sentence in page(reader, **query)


def test_a_search_for_markup_is_shown_as_text(reader, btc):
    content = page(reader, q="<script>alert(1)</script>")
    assert "<script>alert(1)" not in content


# ---------------------------------------------------------------------- feeds


def collected(state, heartbeat_age_s, **values):
    now = timezone.now()
    collector = Collector(
        name="okx-sim", state=state, heartbeat_at=now - timedelta(seconds=heartbeat_age_s)
    )
    instrument = make_instrument("SOL-USDT", is_enabled=True, **values)
    instrument.collector = collector
    return feed_of(instrument, now)


@pytest.mark.parametrize(
    ("state", "age_s", "shown"),
    [
        ("live", 3, ("live", "Live")),
        ("live", 60, ("stale", "Stale")),
        ("starting", 3, ("stale", "Starting")),
        ("degraded", 3, ("stale", "Degraded")),
        ("failed", 3, ("off", "Failed")),
        ("stopped", 300, ("off", "Stopped")),
    ],
)
def test_a_feed_is_what_its_collector_says_while_it_says_anything(db, state, age_s, shown):
    feed = collected(state, age_s)
    assert (feed.state, feed.word) == shown


def test_every_state_of_a_collector_has_a_word(db):
    assert set(Collector.State.values) <= set(FEEDS)
    assert [state for state in Collector.State if FEEDS[state].state == "live"] == ["live"]


def test_a_page_is_told_the_words_and_the_time_it_was_made(db):
    now = timezone.now()
    told = feed_settings(now)
    assert told["silent_ms"] == 20_000
    assert told["now_ms"] == int(now.timestamp() * 1000)
    assert told["feeds"]["degraded"]["word"] == "Degraded"


def test_an_instrument_that_is_not_collected_is_off(db):
    assert feed_of(make_instrument("SOL-USDT"), timezone.now()).word == "Off"


def test_an_instrument_without_a_collector_waits(btc):
    assert feed_of(btc, timezone.now()).word == "Waiting"


# ---------------------------------------------------------------------- switching


SWITCH = "/markets/okx-sim/ETH-USDT/collection/"


def test_staff_switch_collection_on_and_off(staff):
    eth = make_instrument("ETH-USDT")
    answer = staff.post(SWITCH, {"on": "1"}, follow=True)
    eth.refresh_from_db()
    assert eth.is_enabled
    assert "its last 30 days are being loaded" in answer.content.decode()
    staff.post(SWITCH, {"on": "0"})
    eth.refresh_from_db()
    assert not eth.is_enabled


def test_an_instrument_of_another_exchange_is_refused_in_a_sentence(staff):
    make_instrument("ETH-USDT", exchange="okx")
    answer = staff.post("/markets/okx/ETH-USDT/collection/", {"on": "1"}, follow=True)
    assert answer.status_code == 200
    assert "is not collected here" in answer.content.decode()


def test_others_may_not_and_see_no_button(reader):
    eth = make_instrument("ETH-USDT")
    assert reader.post(SWITCH, {"on": "1"}).status_code == 403
    eth.refresh_from_db()
    assert not eth.is_enabled
    assert "Collect ETH-USDT" not in page(reader, show="all")


def test_collection_is_not_switched_by_following_a_link(staff):
    make_instrument("ETH-USDT")
    assert staff.get(SWITCH).status_code == 405


def test_an_unknown_instrument_cannot_be_switched(staff):
    assert staff.post(SWITCH, {"on": "1"}).status_code == 404


def test_a_minute_is_enough_for_a_price(btc):
    write_candles(btc, wandering_minutes(1), reason="test")
    assert stored_quote(btc).last == wandering_minutes(1)["close"][0]
    assert stored_quote(btc).change_24h is None
