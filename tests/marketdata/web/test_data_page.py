"""The Data page: coverage, gaps, differing minutes, locks, backfills and storage."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import (
    CandleConflict,
    CandleRevision,
    Collector,
    DataGap,
    RangeLock,
    from_ms,
)
from marketdata.storage import read_candles, write_candles
from tcpdashboard.common.models import Job
from tests.marketdata.web.conftest import START_MS, make_instrument, wandering_minutes

DAYS = 3
END_MS = START_MS + DAYS * DAY_MS


@pytest.fixture(autouse=True)
def _simulated(settings, db):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = "http://127.0.0.1:9"
    # The exchange's clock: right after the last minute of the third day.
    Collector.objects.create(
        name="okx-sim", exchange="okx-sim", exchange_time=from_ms(END_MS + 2 * MINUTE_MS - 1)
    )


def store(instrument, minutes, source=Source.TRADES):
    write_candles(instrument, minutes, reason="test", source=source)


def figures(client, **query):
    return client.get("/data/coverage", query).json()


def row_of(client, symbol="BTC-USDT", **query):
    return next(row for row in figures(client, **query)["rows"] if row["symbol"] == symbol)


def gap_of(instrument, state="open", **values):
    start = from_ms(START_MS)
    values = {"cause": "outage", "start": start, "end": start + timedelta(minutes=5)} | values
    return DataGap.objects.create(instrument=instrument, kind="candles", state=state, **values)


def conflict_of(instrument, minute, **values):
    candle = minute[0]
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    ours = {f"our_{name}": float(candle[name]) for name in names}
    theirs = {f"their_{name}": float(candle[name]) for name in names}
    return CandleConflict.objects.create(
        instrument=instrument,
        open_time=from_ms(int(candle["open_time_ms"])),
        kind="exchange",
        **{**ours, **theirs, **values},
    )


def test_a_whole_day_a_missing_minute_and_days_before_the_first_are_told_apart(reader, btc):
    store(btc, np.delete(wandering_minutes(DAYS * 1440), 1440 + 7))
    row = row_of(reader, range="30d")
    assert row["states"][-3:] == "cmc"
    assert set(row["states"][:-3]) == {"n"}
    assert row["missing"] == {"28": 1}
    assert row["days"] == {"n": 27, "c": 2, "m": 1}
    assert row["complete_share"] == pytest.approx(1 - 1 / (3 * 1440))


def test_a_first_day_that_was_begun_in_the_middle_is_whole(reader, btc):
    store(btc, wandering_minutes(DAYS * 1440)[843:])
    row = row_of(reader, range="all")
    assert (row["states"], row["missing"], row["complete_share"]) == ("ccc", {}, 1.0)
    day = from_ms(START_MS).date().isoformat()
    panel = reader.get(f"/data/day/okx-sim/BTC-USDT/{day}/").content.decode()
    assert "597 of 597 minutes; 843 are older than all that was collected" in panel


def test_each_source_has_its_kind(reader, btc):
    minutes = wandering_minutes(DAYS * 1440)
    for number, source in enumerate((Source.TRADES, Source.EXCHANGE, Source.IMPORTED)):
        store(btc, minutes[number * 1440 : (number + 1) * 1440], source)
    assert row_of(reader)["states"][-3:] == "cei"


def test_all_begins_with_the_first_stored_day(reader, btc):
    store(btc, wandering_minutes(DAYS * 1440))
    answer = figures(reader, range="all")
    assert (answer["first_ms"], answer["days"]) == (START_MS, DAYS)


def test_an_instrument_that_was_switched_off_misses_nothing_afterwards(reader, btc):
    store(btc, wandering_minutes(1440))
    btc.is_enabled = False
    btc.save()
    assert row_of(reader, range="all")["states"] == "cnn"
    btc.is_enabled = True
    btc.save()
    assert row_of(reader, range="all")["states"] == "cmm"


def test_twenty_instruments_ask_no_more_queries_than_one(reader, btc):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            assert reader.get("/data/").status_code == 200
        return len(asked)

    store(btc, wandering_minutes(2880))
    queries()
    of_one = queries()
    for number in range(19):
        store(make_instrument(f"A{number}-USDT", is_enabled=True), wandering_minutes(1440))
    queries()
    assert queries() == of_one
    assert of_one <= 20


def test_the_page_carries_the_figures_and_explains_every_kind(reader, btc):
    store(btc, wandering_minutes(1440))
    content = reader.get("/data/").content.decode()
    block = re.search(r'<script id="coverage-figures"[^>]*>(.*?)</script>', content)[1]
    assert json.loads(block)["rows"][0]["symbol"] == "BTC-USDT"
    for word in ("Complete", "Repaired", "Exchange candles", "Imported", "Flat", "Missing"):
        assert f"</span>{word}</li>" in content


def test_without_data_the_page_says_what_to_do(reader):
    content = reader.get("/data/").content.decode()
    assert "Nothing is stored of okx-sim yet" in content
    assert "sync_instruments" in content


def test_a_day_shows_its_figures_and_gaps(reader, btc):
    store(btc, np.delete(wandering_minutes(1440), [10, 11]))
    gap_of(btc, "unrepairable", reason="the exchange has no candle of it")
    content = reader.get("/data/day/okx-sim/BTC-USDT/2026-11-01/").content.decode()
    assert "1,438 of 1,440 minutes" in content
    assert "99.86%" in content
    assert "the exchange has no candle of it" in content
    assert "data-repair" not in content


@pytest.mark.parametrize(
    "path", ["NO-SUCH/2026-11-01", "BTC-USDT/2026-13-01", "BTC-USDT/1950-01-01"]
)
def test_a_day_that_is_not_there_is_not_found(reader, btc, path):
    assert reader.get(f"/data/day/okx-sim/{path}/").status_code == 404


def test_gaps_are_narrowed_by_state_kind_cause_and_instrument(reader, btc):
    eth = make_instrument("ETH-USDT")
    gap_of(btc, reason="apples")
    gap_of(btc, "repaired", closed_at=from_ms(END_MS), reason="pears")
    gap_of(eth, "unrepairable", cause="maintenance", reason="plums")

    def shown(**query):
        content = reader.get("/data/gaps", query).content.decode()
        return [word for word in ("apples", "pears", "plums") if word in content]

    assert shown() == ["apples", "plums"]
    assert shown(state="all") == ["apples", "pears", "plums"]
    assert shown(state="repaired") == ["pears"]
    assert shown(cause="maintenance") == ["plums"]
    assert shown(symbol="ETH-USDT") == ["plums"]
    assert shown(kind="trades") == []


def test_only_who_may_change_gaps_is_offered_their_repair(reader, staff, btc):
    gap = gap_of(btc, "unrepairable")
    gap_of(btc, "repaired", start=from_ms(START_MS + DAY_MS), end=from_ms(START_MS + 2 * DAY_MS))
    button = f'data-repair="{gap.pk}"'
    assert button not in reader.get("/data/").content.decode()
    content = staff.get("/data/gaps?state=all").content.decode()
    assert re.findall(r'data-repair="\d+"', content) == [button]


def test_theirs_takes_the_place_of_ours_with_a_revision(staff, btc):
    minutes = wandering_minutes(10)
    store(btc, minutes)
    conflict = conflict_of(btc, minutes[4:5], their_volume=9.5)
    assert "Take theirs" in staff.get("/data/").content.decode()
    answer = staff.post(f"/data/differences/{conflict.pk}/", {"choice": "theirs"})
    assert answer["Location"] == "/data/?exchange=okx-sim#differences"
    open_ms = int(minutes["open_time_ms"][4])
    stored = read_candles(btc, Timeframe.M1, open_ms, open_ms + MINUTE_MS)
    assert (stored["volume"][0], stored["source"][0], stored["revision"][0]) == (9.5, 1, 1)
    conflict.refresh_from_db()
    assert (conflict.state, conflict.how) == ("settled", "theirs taken by staff")
    revision = CandleRevision.objects.get(instrument=btc, timeframe=1)
    assert (revision.volume, revision.reason) == (minutes["volume"][4], "theirs taken by staff")


def test_ours_may_be_kept_once(staff, btc):
    minutes = wandering_minutes(3)
    store(btc, minutes)
    conflict = conflict_of(btc, minutes[1:2], their_close=1.0)
    staff.post(f"/data/differences/{conflict.pk}/", {"choice": "ours"})
    conflict.refresh_from_db()
    assert (conflict.state, conflict.how) == ("kept", "kept by staff")
    again = staff.post(f"/data/differences/{conflict.pk}/", {"choice": "theirs"}, follow=True)
    assert "nothing is to decide" in again.content.decode()


def test_a_locked_minute_is_not_taken_over(staff, btc):
    minutes = wandering_minutes(3)
    store(btc, minutes)
    RangeLock.objects.create(
        instrument=btc, start=from_ms(START_MS), end=from_ms(START_MS + DAY_MS), reason="mine"
    )
    conflict = conflict_of(btc, minutes[1:2], their_volume=9.5)
    answer = staff.post(f"/data/differences/{conflict.pk}/", {"choice": "theirs"}, follow=True)
    assert "remove the lock first" in answer.content.decode()
    conflict.refresh_from_db()
    assert conflict.state == "open"
    assert read_candles(btc, Timeframe.M1, START_MS, END_MS)["volume"][1] == minutes["volume"][1]


def lock_fields(**values):
    return {
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "start": "2026-11-01T00:00",
        "end": "2026-11-02T00:00",
        "reason": "checked by hand",
    } | values


def test_a_range_is_locked_and_unlocked(staff, btc):
    staff.post("/data/locks/add?exchange=okx-sim", lock_fields())
    lock = RangeLock.objects.get()
    assert (lock.start, lock.end) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    )
    assert lock.made_by.username == "staff"
    assert "checked by hand" in staff.get("/data/").content.decode()
    staff.post(f"/data/locks/{lock.pk}/remove")
    assert not RangeLock.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"end": "2026-11-01T00:00"}, "expected a time after start"),
        ({"symbol": "NO-SUCH"}, "no instrument"),
        ({"reason": ""}, "This field is required"),
        ({"start": "yesterday"}, "Enter a valid date/time"),
    ],
)
def test_a_lock_that_makes_no_sense_is_refused_with_a_sentence(staff, btc, wrong, said):
    answer = staff.post("/data/locks/add?exchange=okx-sim", lock_fields(**wrong))
    assert said in answer.content.decode()
    assert not RangeLock.objects.exists()


def test_a_backfill_that_cannot_be_done_says_why_in_the_form(staff, btc):
    fields = {"exchange": "okx-sim", "symbol": "NO-SUCH", "start": "2026-10-01T00:00"}
    answer = staff.post("/data/backfills/start?exchange=okx-sim", fields)
    content = answer.content.decode()
    assert "no instrument" in content
    assert 'value="NO-SUCH"' in content


def test_a_backfill_is_created_and_listed_with_its_orders(staff, reader, btc):
    fields = {"exchange": "okx-sim", "symbol": "BTC-USDT", "start": "2026-10-01T00:00"}
    answer = staff.post("/data/backfills/start?exchange=okx-sim", fields)
    assert answer["Location"] == "/data/?exchange=okx-sim#backfills"
    job = Job.objects.get()
    for order in ("pause", "cancel"):
        assert f'data-order="{order}"' in staff.get("/data/backfills").content.decode()
    seen = reader.get("/data/backfills").content.decode()
    assert job.title in seen
    assert "data-order" not in seen
    assert "data-topic" not in seen


@pytest.mark.parametrize(
    "path", ["backfills/start", "locks/add", "locks/1/remove", "differences/1/"]
)
def test_who_may_not_change_things_is_refused(reader, btc, path):
    assert reader.post(f"/data/{path}").status_code == 403


def test_storage_lists_every_table_with_how_long_it_stays(reader, btc):
    with connection.cursor() as cursor:
        cursor.execute("truncate marketdata_candle")  # and the dead rows of other tests
    store(btc, wandering_minutes(1440))
    content = reader.get("/data/storage").content.decode()
    assert re.search(r'>Candles</th><td data-label="Rows" class="num">1,[89]\d\d</td>', content)
    assert "365 days" in content
    assert "2026-11-01 00:00" in content


def test_what_would_go_is_told_without_taking_it(reader, btc):
    content = reader.get("/data/retention").content.decode()
    assert "Nothing is old enough to go" in content
