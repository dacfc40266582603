"""The scan of the store opens gaps, closes those that are none any more, and repeats nothing."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Candle, CandleDay, DataGap, from_ms, to_ms
from marketdata.repair.scan import scan_instrument
from marketdata.storage import DatabaseSink, write_candles
from marketdata.storage.filling import fill_trades
from marketdata.storage.scanning import changed_days, days_to_scan
from marketdata.storage.writing import rebuild_windows
from tests.marketdata.storage.builders import DAY, batch, make_instrument, minutes, tape

pytestmark = pytest.mark.django_db

HOUR = 60


@pytest.fixture
def market():
    return make_instrument()


def store(market, *stretches):
    """Store candles for stretches of minutes counted from DAY."""
    for first, end in stretches:
        candles = minutes(DAY + first * MINUTE_MS, np.full(end - first, 100.0))
        write_candles(market, candles, reason="test")


def gaps(market, **wanted):
    """The live gaps of 1m candles, in minutes from DAY."""
    rows = market.gaps.live().filter(kind="candles", timeframe=1, **wanted).order_by("start")
    return [
        ((to_ms(gap.start) - DAY) // MINUTE_MS, (to_ms(gap.end) - DAY) // MINUTE_MS) for gap in rows
    ]


def test_missing_minutes_become_gaps_once(market):
    store(market, (0, 10), (15, 20), (30, 40))
    assert len(scan_instrument(market).opened) == 2
    assert gaps(market) == [(10, 15), (20, 30)]
    assert not scan_instrument(market).opened
    assert DataGap.objects.count() == 2


def test_incomplete_minutes_are_missing_too(market):
    store(market, (0, 10), (11, 20))
    lacking = minutes(DAY + 10 * MINUTE_MS, [100.0], whole=0)
    write_candles(market, lacking, reason="test")
    scan_instrument(market)
    assert gaps(market) == [(10, 11)]


def test_a_hole_over_midnight_and_over_absent_days_is_one_gap(market):
    store(market, (0, 1430), (1450, 1500), (5 * 1440 + 7, 5 * 1440 + 20))
    scan_instrument(market)
    assert gaps(market) == [(1430, 1450), (1500, 5 * 1440 + 7)]


def test_a_gap_that_was_filled_is_closed_and_one_filled_in_part_stays_as_it_is(market):
    store(market, (0, 10), (20, 30), (40, 50))
    scan_instrument(market)
    store(market, (10, 20), (32, 38))
    findings = scan_instrument(market)
    assert (len(findings.opened), findings.closed) == (0, 1)
    assert gaps(market) == [(30, 40)]
    assert DataGap.objects.get(state="repaired").reason == "found filled by the scan"


def test_a_gap_of_many_days_is_closed_when_its_last_minute_comes(market):
    store(market, (0, 10), (3 * 1440, 3 * 1440 + 10))
    scan_instrument(market)
    store(market, (10, 2 * 1440), (2 * 1440 + 1, 3 * 1440))
    scan_instrument(market)
    assert gaps(market) == [(10, 3 * 1440)]
    store(market, (2 * 1440, 2 * 1440 + 1))
    assert scan_instrument(market).closed == 1


def test_minutes_lost_again_after_a_repair_are_a_new_gap(market):
    store(market, (0, 10), (15, 20))
    scan_instrument(market)
    store(market, (10, 15))
    scan_instrument(market)
    Candle.objects.filter(open_time=from_ms(DAY + 10 * MINUTE_MS)).delete()
    CandleDay.objects.update(version=99)
    scan_instrument(market)
    assert gaps(market) == [(10, 11)]
    assert DataGap.objects.filter(timeframe=1).count() == 2


def test_a_hole_right_beside_an_open_gap_makes_it_longer(market):
    store(market, (0, 10), (15, 20), (25, 30))
    scan_instrument(market)
    Candle.objects.filter(open_time__gte=from_ms(DAY + 15 * MINUTE_MS)).filter(
        open_time__lt=from_ms(DAY + 18 * MINUTE_MS)
    ).delete()
    CandleDay.objects.update(version=99)
    scan_instrument(market)
    assert gaps(market) == [(10, 18), (20, 25)]


def test_days_that_did_not_change_are_not_read_again(market):
    store(market, (0, 6 * 1440))
    assert changed_days(market) == [(DAY, DAY + 6 * DAY_MS)]
    scan_instrument(market)
    assert not changed_days(market)
    with CaptureQueriesContext(connection) as queries:
        scan_instrument(market)
    first_and_last = 2 * len(Timeframe)
    copies = [query for query in queries.captured_queries if "copy (" in str(query["sql"])]
    assert 0 < len(copies) <= first_and_last + 1
    store(market, (3 * 1440, 3 * 1440 + 1))
    assert not changed_days(market), "an equal candle changes nothing"
    write_candles(market, minutes(DAY + 3 * DAY_MS, [101.0], source=Source.EXCHANGE), reason="test")


def test_absent_days_are_found_beside_a_day_that_was_stored_after_them(market):
    store(market, (0, 1440), (1440, 2880))
    scan_instrument(market)
    store(market, (4 * 1440, 5 * 1440), (8 * 1440, 9 * 1440))
    scan_instrument(market)
    assert gaps(market) == [(2 * 1440, 4 * 1440), (5 * 1440, 8 * 1440)]
    # Of a day among absent ones both sides are looked at, with only itself changed.
    store(market, (6 * 1440, 7 * 1440 - 1))
    assert changed_days(market) == [(DAY + 6 * DAY_MS, DAY + 7 * DAY_MS)]
    assert not scan_instrument(market).opened
    store(market, (7 * 1440 - 1, 8 * 1440), (5 * 1440, 6 * 1440))
    assert scan_instrument(market).closed == 1
    assert gaps(market) == [(2 * 1440, 4 * 1440)]


def test_the_days_of_a_long_past_are_not_counted_through_at_every_scan(market):
    store(market, (0, 1440), (40 * 1440, 40 * 1440 + 10))
    days = [
        CandleDay(
            instrument=market,
            timeframe=timeframe.minutes,
            day=from_ms(DAY + number * DAY_MS).date(),
            scanned_version=1,
        )
        for number in range(1, 40)
        for timeframe in Timeframe
    ]
    CandleDay.objects.bulk_create(days)
    CandleDay.objects.update(scanned_version=F("version"))
    with connection.cursor() as cursor:
        assert len(days_to_scan(cursor, market)) == 2


def test_what_a_person_asks_for_is_a_gap_before_and_after_what_is_stored(market):
    store(market, (100, 200))
    scan_instrument(market)
    assert not gaps(market)
    scan_instrument(market, (DAY, DAY + 300 * MINUTE_MS))
    assert gaps(market, cause="never_collected") == [(0, 100), (200, 300)]
    scan_instrument(market)
    assert gaps(market) == [(0, 100), (200, 300)]


def test_minutes_of_a_gap_of_trades_are_not_told_twice(market):
    store(market, (0, 10), (15, 20))
    hole = Hole(5, 9, DAY + 10 * MINUTE_MS, DAY + 15 * MINUTE_MS - 1, HoleCause.OUTAGE)
    DatabaseSink(None, "okx", None).commit(batch(opened=(hole,)))
    scan_instrument(market)
    assert not gaps(market)


def test_a_higher_candle_that_is_not_its_minutes_sum_is_a_gap_and_is_built_again(market):
    store(market, (0, 2 * HOUR))
    Candle.objects.filter(timeframe=15, open_time=from_ms(DAY)).delete()
    Candle.objects.filter(timeframe=60, open_time=from_ms(DAY)).update(volume=1.0)
    CandleDay.objects.update(version=99)
    scan_instrument(market)
    found = {gap.timeframe: gap for gap in DataGap.objects.live()}
    assert {name: to_ms(gap.start) for name, gap in found.items()} == {15: DAY, 60: DAY}
    for timeframe in (Timeframe.M15, Timeframe.H1):
        rebuild_windows(market, timeframe, DAY, DAY + timeframe.ms, "test")
    assert Candle.objects.get(timeframe=60, open_time=from_ms(DAY)).volume == 60.0
    assert scan_instrument(market).closed == 2


# Trades


def test_missing_ids_become_gaps_over_any_number_of_scans(market):
    whole = tape(DAY, np.full(60, 100.0))
    fill_trades(market, np.delete(whole, [5, 6, 20]))
    scan_instrument(market)
    more = tape(DAY + 20 * MINUTE_MS, np.full(10, 100.0), first_id=64)
    fill_trades(market, more)
    scan_instrument(market)
    found = DataGap.objects.filter(kind="trades").order_by("first_trade_id")
    assert [gap.ids for gap in found] == [(6, 7), (21, 21), (61, 63)]
    assert not scan_instrument(market).opened


def test_a_hole_in_old_trades_that_were_loaded_later_is_found_by_their_day(market):
    fill_trades(market, tape(DAY + 5 * DAY_MS, np.full(30, 100.0), first_id=1_000))
    store(market, (5 * 1440, 5 * 1440 + 5))
    scan_instrument(market)
    old = tape(DAY, np.full(30, 100.0), first_id=900)
    fill_trades(market, np.delete(old, [10]))
    store(market, (0, 5))
    scan_instrument(market)
    ids = [gap.ids for gap in DataGap.objects.filter(kind="trades")]
    assert (911 - 1, 911 - 1) in ids


def test_a_whole_minute_in_which_ids_are_missing_is_flagged_when_the_hole_is_found(market):
    whole = tape(DAY, np.full(30, 100.0))
    fill_trades(market, np.delete(whole, [8]))
    candles = minutes(DAY, np.full(5, 100.0))
    candles["source"], candles["trade_count"] = Source.TRADES, 6
    write_candles(market, candles, reason="test")
    scan_instrument(market)
    lacking = Candle.objects.get(timeframe=1, minutes=0)
    assert to_ms(lacking.open_time) == DAY + MINUTE_MS
    assert lacking.revision == 1


# The command


def test_the_command_prints_what_it_found(market, capsys):
    store(market, (0, 10), (15, 20))
    call_command("scan_gaps", exchange="okx", symbol="BTC-USDT")
    shown = capsys.readouterr().out
    assert (
        "2024-01-01T00:10:00Z to 2024-01-01T00:15:00Z  1m candles  never_collected  open" in shown
    )
    assert "1 gaps, 1 of them new; 0 are gaps no more" in shown


def test_the_command_takes_a_range_and_explains_a_wrong_one(market, capsys):
    store(market, (0, 10))
    options = {"exchange": "okx", "symbol": "BTC-USDT"}
    call_command("scan_gaps", "--start=2024-01-01", "--end=2024-01-01T00:20", **options)
    assert "2024-01-01T00:10:00Z to 2024-01-01T00:20:00Z" in capsys.readouterr().out
    with pytest.raises(CommandError, match="together"):
        call_command("scan_gaps", "--start=2024-01-01", **options)
    with pytest.raises(CommandError, match="no instrument"):
        call_command("scan_gaps", exchange="okx", symbol="NO-SUCH")
