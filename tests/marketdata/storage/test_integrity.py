"""How whole a stretch is, told from what is kept of its days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata.domain.fingerprint import combine, day_fingerprints, fingerprint
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Candle, CandleCheck, CandleDay, CandleRevision, DataGap, from_ms
from marketdata.storage import (
    Cover,
    Held,
    coverage,
    day_versions,
    integrity,
    range_fingerprint,
    read_candles,
    write_candles,
)
from marketdata.storage.checks import check_minutes
from marketdata.storage.columns import read_columns
from marketdata.storage.counting import count_stale_days
from tests.effort import spent_here_s
from tests.marketdata.storage.builders import DAY, make_instrument, minutes
from tests.marketdata.storage.test_locks import lock
from tests.plans.access import plans_of_statements, rows_read

pytestmark = pytest.mark.django_db

FIRST = date(2024, 1, 1)


@pytest.fixture
def instrument():
    return make_instrument()


def write(instrument, candles, reason="test"):
    return write_candles(instrument, candles, reason=reason)


def verify(instrument, candles):
    with transaction.atomic(), connection.cursor() as cursor:
        check_minutes(cursor, instrument.pk, candles)


def counts(found):
    names = ("expected", "complete", "incomplete", "missing", "verified", "differing", "revised")
    return {name: getattr(found, name) for name in names if getattr(found, name)}


def three_days(instrument):
    """Write a day of trades, one of exchange candles with a hole, and the first hour of a third."""
    first = minutes(DAY, [100.0] * 1440)
    first["source"][700:760] = Source.FLAT
    second = minutes(DAY + DAY_MS, [101.0] * 1440, source=Source.EXCHANGE)
    third = minutes(DAY + 2 * DAY_MS, [102.0] * 60)
    third["minutes"][7] = 0
    candles = np.concatenate([first, np.delete(second, np.s_[10:20]), third])
    write(instrument, candles)
    return candles


def test_whole_days_and_parts_of_days_are_counted(instrument):
    candles = three_days(instrument)
    verify(instrument, candles[:1000])

    found = integrity(instrument, Timeframe.M1, DAY, DAY + 2 * DAY_MS + 60 * MINUTE_MS)

    assert counts(found) == {
        "expected": 2940,
        "complete": 2929,
        "incomplete": 1,
        "missing": 10,
        "verified": 1000,
    }
    assert (found.by_trades, found.by_exchange, found.by_import, found.flat) == (1439, 1430, 0, 60)
    assert found.complete_share == 2929 / 2940
    assert found.flat_share == 60 / 2940
    assert found.verified_share == 1000 / 1499
    assert found.revised_share == 0


def test_a_part_of_one_day_is_counted_by_its_minutes(instrument):
    candles = three_days(instrument)
    verify(instrument, candles[:1000])

    found = integrity(instrument, Timeframe.M1, DAY + 990 * MINUTE_MS, DAY + 1010 * MINUTE_MS)

    assert counts(found) == {"expected": 20, "complete": 20, "verified": 10}


def test_a_higher_candle_is_verified_when_all_its_minutes_are(instrument):
    candles = three_days(instrument)
    theirs = candles[:1000].copy()
    theirs["volume"][3] += 1
    verify(instrument, theirs)

    found = integrity(instrument, Timeframe.M5, DAY, DAY + DAY_MS)
    assert counts(found) == {"expected": 288, "complete": 288, "verified": 199, "differing": 1}
    day = integrity(instrument, Timeframe.D1, DAY, DAY + 2 * DAY_MS)
    assert counts(day) == {"expected": 2, "complete": 1, "incomplete": 1, "differing": 1}


def test_nothing_is_divided_by_nothing(instrument):
    found = integrity(instrument, Timeframe.M1, DAY, DAY)
    assert (found.expected, found.complete_share, found.verified_share) == (0, None, None)

    found = integrity(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    assert (found.missing, found.complete_share, found.verified_share) == (1440, 0.0, None)


def test_what_was_changed_or_inserted_later_is_revised(instrument):
    candles = minutes(DAY, [100.0] * 1440, source=Source.EXCHANGE)
    write(instrument, np.delete(candles, 5))
    changed = candles[8:9].copy()
    changed["volume"] = 3.0

    write(instrument, candles[5:6], "gap")
    write(instrument, changed, "repair")

    whole = integrity(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    assert (whole.revised, whole.revised_share) == (2, 2 / 1440)
    assert integrity(instrument, Timeframe.M1, DAY, DAY + 8 * MINUTE_MS).revised == 1


def test_counts_are_kept_until_a_candle_of_the_day_changes(instrument):
    write(instrument, minutes(DAY, [100.0] * 1440, source=Source.EXCHANGE))
    span = instrument, Timeframe.M1, DAY, DAY + DAY_MS
    assert integrity(*span).by_exchange == 1440
    kept = CandleDay.objects.get(timeframe=1)
    assert (kept.counted_version, kept.by_exchange, kept.complete) == (kept.version, 1440, 1440)

    CandleDay.objects.filter(timeframe=1).update(by_exchange=7)
    assert integrity(*span).by_exchange == 7

    write(instrument, minutes(DAY, [200.0]))
    assert (integrity(*span).by_exchange, integrity(*span).by_trades) == (1439, 1)


def test_only_the_days_whose_counts_are_to_be_kept_are_counted(instrument):
    for number in range(30):
        write(instrument, minutes(DAY + number * DAY_MS, [100.0]))
    with CaptureQueriesContext(connection) as asked, connection.cursor() as cursor:
        count_stale_days(cursor, [instrument.pk], Timeframe.M1, 2)
    counted = CandleDay.objects.filter(timeframe=1, counted_version=F("version")).order_by("day")
    assert [row.day for row in counted] == [date(2024, 1, 29), date(2024, 1, 30)]

    CandleDay.objects.update(counted_version=0)
    with connection.cursor() as cursor:
        cursor.execute("explain (analyze, format json) " + asked[0]["sql"])
        plan = cursor.fetchone()[0][0]["Plan"]
    looked = [node["Actual Loops"] for node in nodes(plan) if node.get("Alias") == "candle"]
    assert looked == [2]


def nodes(plan):
    """Return a node of a plan and all below it."""
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


def test_the_fingerprint_is_that_of_the_candles_of_the_stretch(instrument):
    candles = three_days(instrument)
    start_ms, end_ms = DAY + 30 * MINUTE_MS, DAY + 2 * DAY_MS + 30 * MINUTE_MS
    days = [candles[30:1440], candles[1440:2870], candles[2870:2900]]

    found = integrity(instrument, Timeframe.M1, start_ms, end_ms)

    assert found.fingerprint == combine(map(fingerprint, days))
    assert found.fingerprint == range_fingerprint(instrument, Timeframe.M1, start_ms, end_ms)


def test_gaps_that_are_not_repaired_and_locks_are_named(instrument):
    three_days(instrument)
    for number, state in enumerate(["open", "repaired", "unrepairable"]):
        DataGap.objects.create(
            instrument=instrument,
            kind="candles",
            start=from_ms(DAY + DAY_MS + (10 + number) * MINUTE_MS),
            end=from_ms(DAY + DAY_MS + (11 + number) * MINUTE_MS),
            cause="never_collected",
            state=state,
        )
    lock(instrument, 5, 7)

    found = integrity(instrument, Timeframe.M1, DAY, DAY + 2 * DAY_MS)

    assert [(gap.state, gap.start_ms) for gap in found.gaps] == [
        ("open", DAY + DAY_MS + 10 * MINUTE_MS),
        ("unrepairable", DAY + DAY_MS + 12 * MINUTE_MS),
    ]
    assert [(one.start_ms, one.end_ms) for one in found.locks] == [
        (DAY + 5 * MINUTE_MS, DAY + 7 * MINUTE_MS)
    ]


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_kept_counts_equal_those_of_the_candles_themselves(instrument, data):
    for model in (Candle, CandleDay, CandleRevision, CandleCheck):
        model.objects.all().delete()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(-1500, 1500))
        candles = minutes(DAY + start * MINUTE_MS, [100.0] * data.draw(st.integers(1, 1500)))
        candles["source"] = data.draw(st.sampled_from(Source))
        candles["minutes"][:: data.draw(st.integers(1, 9))] = 0
        candles["volume"] += data.draw(st.integers(0, 2))
        write(instrument, candles)
        timeframe = data.draw(st.sampled_from(Timeframe))
        first, last = sorted(data.draw(st.tuples(st.integers(-3000, 3000), st.integers(0, 3000))))
        start_ms, end_ms = DAY + first * MINUTE_MS, DAY + last * MINUTE_MS

        found = integrity(instrument, timeframe, start_ms, end_ms)

        stored = read_candles(instrument, timeframe, start_ms, end_ms)
        complete = stored[stored["minutes"] == timeframe.minutes]
        revised = CandleRevision.objects.filter(
            timeframe=timeframe.minutes,
            open_time__gte=from_ms(start_ms),
            open_time__lt=from_ms(end_ms),
        )
        assert found.stored == len(stored)
        assert found.complete == len(complete)
        assert found.flat == int((complete["source"] == Source.FLAT).sum())
        assert found.revised == revised.values("open_time").distinct().count()
        assert found.by_trades + found.by_exchange + found.by_import + found.flat == found.complete


def covers(instruments, days, now_ms=DAY + 100 * DAY_MS):
    end = date.fromordinal(FIRST.toordinal() + days)
    return coverage(instruments, FIRST, end, now_ms)


def day_of(number, source, closes=1440):
    return minutes(DAY + number * DAY_MS, [100.0] * closes, source=source)


def test_every_kind_of_day_has_its_name(instrument):
    mixed = day_of(4, Source.TRADES)
    mixed["source"][:5] = Source.EXCHANGE
    quiet = day_of(6, Source.FLAT)
    quiet["source"][3], quiet["high"][3] = Source.TRADES, 101.0
    candles = [
        day_of(0, Source.TRADES),
        day_of(1, Source.EXCHANGE),
        day_of(2, Source.IMPORTED),
        day_of(3, Source.FLAT),
        mixed,
        np.delete(day_of(5, Source.TRADES), 1439),
        quiet,
        day_of(8, Source.TRADES),
    ]
    write(instrument, np.concatenate(candles))
    revised = day_of(8, Source.TRADES, 1)
    revised["trade_count"] = 3
    write(instrument, revised, "late trade")

    found = covers([instrument], 10, now_ms=DAY + 9 * DAY_MS)

    assert [Cover(cover).name for cover in found.covers[0]] == [
        "COMPLETE",
        "EXCHANGE",
        "IMPORTED",
        "FLAT",
        "REPAIRED",
        "MISSING",
        "COMPLETE",
        "MISSING",
        "REPAIRED",
        "NOTHING",
    ]
    shares = found.share("complete")[0].round(4).tolist()
    assert shares[:9] == [1.0, 1.0, 1.0, 1.0, 1.0, 0.9993, 1.0, 0.0, 1.0]
    assert np.isnan(shares[9])
    assert found.share("by_exchange")[0][4] == 5 / 1440


def test_minutes_are_expected_from_the_listing_up_to_now(instrument):
    instrument.listed_at = from_ms(DAY + 1430 * MINUTE_MS - 1)
    write(instrument, minutes(DAY + 1430 * MINUTE_MS, [100.0] * 20))

    found = covers([instrument], 3, now_ms=DAY + DAY_MS + 10 * MINUTE_MS + 59_999)

    assert found.expected.tolist() == [[10, 10, 0]]
    assert found.covers.tolist() == [[Cover.COMPLETE, Cover.COMPLETE, Cover.NOTHING]]


def test_minutes_before_the_first_stored_one_are_not_expected(instrument):
    instrument.is_enabled = True
    write(instrument, minutes(DAY + 843 * MINUTE_MS, [100.0] * (1440 - 843)))

    found = covers([instrument], 2, now_ms=DAY + DAY_MS + 3 * MINUTE_MS)

    assert found.expected.tolist() == [[1440 - 843, 3]]
    assert found.covers.tolist() == [[Cover.COMPLETE, Cover.MISSING]]
    assert found.share("complete").tolist() == [[1.0, 0.0]]


def test_an_older_minute_that_is_known_to_be_missing_is_expected(instrument):
    write(instrument, minutes(DAY + 843 * MINUTE_MS, [100.0] * (1440 - 843)))
    span = {"start": from_ms(DAY + 840 * MINUTE_MS), "end": from_ms(DAY + 843 * MINUTE_MS)}
    gap = DataGap.objects.create(
        instrument=instrument, kind="candles", cause="never_collected", **span
    )

    assert covers([instrument], 1).expected.tolist() == [[1440 - 840]]
    assert covers([instrument], 1).covers.tolist() == [[Cover.MISSING]]
    assert integrity(instrument, Timeframe.M1, DAY, DAY + DAY_MS).uncollected == 840

    gap.state = "repaired"
    gap.save()
    assert covers([instrument], 1).covers.tolist() == [[Cover.COMPLETE]]


def test_of_an_instrument_that_is_collected_no_more_nothing_is_expected_afterwards(instrument):
    write(instrument, minutes(DAY, [100.0] * 700))

    assert covers([instrument], 2).expected.tolist() == [[700, 0]]
    instrument.is_enabled = True
    assert covers([instrument], 2).expected.tolist() == [[1440, 1440]]


def test_an_instrument_of_which_nothing_is_stored_misses_nothing(instrument):
    instrument.is_enabled = True

    assert covers([instrument], 2).covers.tolist() == [[Cover.NOTHING] * 2]


def test_a_stretch_that_begins_before_collection_says_so(instrument):
    write(instrument, minutes(DAY + 843 * MINUTE_MS, [100.0] * 57))

    found = integrity(instrument, Timeframe.M1, DAY, DAY + 910 * MINUTE_MS)
    assert counts(found) == {"expected": 910, "complete": 57, "missing": 853}
    assert (found.uncollected, found.lacking) == (843, 10)
    five = integrity(instrument, Timeframe.M5, DAY, DAY + 900 * MINUTE_MS)
    assert (five.expected, five.uncollected, five.lacking) == (180, 168, 0)
    before = integrity(instrument, Timeframe.M1, DAY - DAY_MS, DAY)
    assert (before.missing, before.uncollected) == (1440, 1440)
    after = integrity(instrument, Timeframe.M1, DAY + DAY_MS, DAY + 2 * DAY_MS)
    assert (after.missing, after.uncollected) == (1440, 0)


def test_verified_minutes_are_counted_by_day(instrument):
    candles = minutes(DAY + 1435 * MINUTE_MS, [100.0] * 10)
    write(instrument, candles)
    theirs = candles.copy()
    theirs["close"][7] = 100.5
    verify(instrument, theirs)

    found = covers([instrument], 2)

    assert found.counts["verified"].tolist() == [[5, 4]]
    assert found.counts["differing"].tolist() == [[0, 1]]


def test_the_number_of_statements_does_not_depend_on_what_is_asked_for(
    instrument, django_assert_max_num_queries
):
    others = [make_instrument(f"C{number}-USDT") for number in range(5)]
    for one in (instrument, *others):
        write(one, day_of(0, Source.TRADES))
        write(one, day_of(3, Source.TRADES))
    with django_assert_max_num_queries(3):
        covers([instrument, *others], 30)
    with django_assert_max_num_queries(2):
        found = covers([instrument, *others], 60)
    assert found.covers.shape == (6, 60)
    assert (found.covers == Cover.COMPLETE).sum() == 12


def test_no_instruments_or_no_days_are_covered_by_nothing(instrument):
    assert covers([], 3).covers.shape == (0, 3)
    assert covers([instrument], 0).covers.shape == (1, 0)


def held_otherwise(instrument, span):
    """Return the candles as if read into memory, but with other closes: so it shows who is read."""
    versions = day_versions(instrument, Timeframe.M1, *span)
    candles = read_columns(instrument, Timeframe.M1, *span)
    candles.close[:] += 1
    return Held(candles, versions)


def test_candles_in_memory_are_hashed_instead_of_being_read_again(instrument):
    three_days(instrument)
    span = DAY, DAY + 3 * DAY_MS
    held = held_otherwise(instrument, span)

    found = integrity(instrument, Timeframe.M1, *span, held=held)

    assert found.fingerprint == combine(day_fingerprints(held.candles).values())
    assert integrity(instrument, Timeframe.M1, *span) == found


def test_candles_in_memory_are_not_believed_once_a_day_was_written(instrument):
    three_days(instrument)
    span = DAY, DAY + 3 * DAY_MS
    held = held_otherwise(instrument, span)
    write(instrument, minutes(DAY + 2 * DAY_MS + 60 * MINUTE_MS, [103.0]))

    found = integrity(instrument, Timeframe.M1, *span, held=held)

    stored = read_candles(instrument, Timeframe.M1, *span)
    assert found.fingerprint == combine(day_fingerprints(stored).values())


def test_nothing_is_hashed_for_who_needs_no_fingerprint(instrument):
    three_days(instrument)
    span = DAY, DAY + 2 * DAY_MS + 60 * MINUTE_MS

    found = integrity(instrument, Timeframe.M1, *span, is_hashed=False)

    assert not CandleDay.objects.filter(hashed_version=F("version")).exists()
    whole = integrity(instrument, Timeframe.M1, *span)
    assert found == replace(whole, fingerprint=b"")


@pytest.mark.slow
def test_a_year_whose_days_are_known_answers_in_milliseconds(instrument):
    candles = minutes(DAY, np.full(365 * 1440, 100.0), source=Source.EXCHANGE)
    write(instrument, candles)
    with connection.cursor() as cursor:
        # As the server does by itself, some time after so many rows have come.
        cursor.execute("analyze marketdata_candle, marketdata_candleday")
    span = instrument, Timeframe.M1, DAY, DAY + 365 * DAY_MS
    assert integrity(*span).complete == 365 * 1440

    with plans_of_statements() as told:
        integrity(*span)
    assert 0 < len(told) < 12
    read = rows_read(told)
    # The first one and the last.
    assert read.pop("marketdata_candle") <= 2
    assert 365 <= read.pop("marketdata_candleday") <= 4 * 365
    assert sum(read.values()) <= 10

    # What this process does itself, and not what others let it wait for.
    spent = []
    for _ in range(9):
        before_s = spent_here_s()
        integrity(*span)
        spent.append(spent_here_s() - before_s)
    assert min(spent) < 0.05
