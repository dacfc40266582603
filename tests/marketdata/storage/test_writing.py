"""What writing closed candles makes of versions, fingerprints, revisions and higher candles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata.domain.aggregation import resample_all
from marketdata.domain.errors import InvalidRecord
from marketdata.domain.fingerprint import combine, fingerprint
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe
from marketdata.models import Candle, CandleDay, CandleRevision, from_ms
from marketdata.storage import (
    WriteResult,
    day_versions,
    range_fingerprint,
    read_candles,
    write_candles,
)
from tests.marketdata.storage.builders import DAY, SPEC, make_instrument, minutes

pytestmark = pytest.mark.django_db

FIGURES = ("open_time_ms", "open", "high", "low", "close", "volume", "quote_volume", "minutes")


@pytest.fixture
def instrument():
    return make_instrument()


def write(instrument, candles, reason="test", **options):
    return write_candles(instrument, candles, reason=reason, **options)


def stored(instrument, timeframe=Timeframe.M1):
    return read_candles(instrument, timeframe, DAY - 40 * DAY_MS, DAY + 80 * DAY_MS)


def assert_higher_follow(instrument):
    """Every closed window of every timeframe is what its stored minutes make."""
    candles = stored(instrument)
    end_ms = int(candles["open_time_ms"][-1]) + MINUTE_MS
    for timeframe, expected in resample_all(candles, SPEC).items():
        expected = expected[expected["open_time_ms"] + timeframe.ms <= end_ms]
        higher = stored(instrument, timeframe)
        for name in FIGURES:
            assert np.array_equal(higher[name], expected[name]), (timeframe, name)


def test_writing_twice_changes_nothing(instrument):
    candles = minutes(DAY, np.linspace(100, 300, 3 * 1440).round(1), source=Source.EXCHANGE)

    assert write(instrument, candles) == WriteResult(inserted=4320)
    before = list(CandleDay.objects.order_by("pk").values_list())
    assert write(instrument, candles) == WriteResult(unchanged=4320)

    assert list(CandleDay.objects.order_by("pk").values_list()) == before
    assert not CandleRevision.objects.exists()
    assert_higher_follow(instrument)


def test_a_change_leaves_a_revision_in_every_timeframe_and_raises_the_days_version(instrument):
    candles = minutes(DAY, [100.0] * 2880, source=Source.EXCHANGE)
    write(instrument, candles)
    better = candles[:1].copy()
    better["volume"] = 9.0

    assert write(instrument, better, "repair") == WriteResult(changed=1)

    rows = CandleRevision.objects.order_by("timeframe")
    assert [row.timeframe for row in rows] == [1, *(each.minutes for each in HIGHER_TIMEFRAMES)]
    assert {(row.reason, row.revision, row.open_time) for row in rows} == {
        ("repair", 1, from_ms(DAY))
    }
    assert [row.volume for row in rows] == [1.0, 5.0, 15.0, 60.0, 240.0, 1440.0]
    assert [row.new_volume for row in rows] == [9.0, 13.0, 23.0, 68.0, 248.0, 1448.0]
    assert {(row.close, row.new_close, row.minutes - row.new_minutes) for row in rows} == {
        (100.0, 100.0, 0)
    }
    assert rows[0].source == rows[0].new_source == Source.EXCHANGE
    assert day_versions(instrument, Timeframe.H1, DAY, DAY + 2 * DAY_MS) == {
        DAY: 2,
        DAY + DAY_MS: 1,
    }
    assert_higher_follow(instrument)


def test_a_minute_inserted_among_others_is_recorded_but_history_before_them_is_not(instrument):
    candles = minutes(DAY, [100.0] * 30)
    write(instrument, np.delete(candles, 7))

    assert write(instrument, candles[7:8], "found") == WriteResult(inserted=1)

    row = CandleRevision.objects.get(timeframe=1)
    assert (row.open_time, row.revision, row.open, row.source) == (
        from_ms(DAY + 7 * MINUTE_MS),
        0,
        None,
        None,
    )
    assert (row.new_open, row.new_close, row.new_minutes) == (100.0, 100.0, 1)
    CandleRevision.objects.all().delete()
    write(instrument, minutes(DAY - DAY_MS, [100.0] * 1440))
    assert not CandleRevision.objects.exists()
    assert_higher_follow(instrument)


def test_each_revision_begins_with_what_the_one_before_ended_with(instrument):
    for volume in (1.0, 2.0, 3.0):
        candle = minutes(DAY, [100.0], source=Source.EXCHANGE)
        candle["volume"] = volume
        write(instrument, candle)
    told = CandleRevision.objects.filter(timeframe=1).order_by("revision")
    assert list(told.values_list("revision", "volume", "new_volume")) == [(1, 1, 2), (2, 2, 3)]
    assert stored(instrument)["volume"].tolist() == [3.0]


def test_flat_minutes_follow_a_close_that_is_revised(instrument):
    flats = minutes(DAY + MINUTE_MS, [100.0] * 3, source=Source.FLAT)
    write(instrument, np.concatenate([minutes(DAY, [100.0], source=Source.EXCHANGE), flats]))
    write(instrument, minutes(DAY + 4 * MINUTE_MS, [103.0]))

    write(instrument, minutes(DAY, [101.0], source=Source.EXCHANGE))

    assert stored(instrument)["close"].tolist() == [101.0, 101.0, 101.0, 101.0, 103.0]
    assert stored(instrument)["revision"].tolist() == [1, 1, 1, 1, 0]
    assert_higher_follow(instrument)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_overlapping_writes_in_any_order_end_in_the_same_candles(instrument, data):
    for model in (Candle, CandleDay, CandleRevision):
        model.objects.all().delete()
    candles = minutes(DAY - 30 * MINUTE_MS, np.arange(100.0, 200.0))
    candles = np.delete(candles, [13, 50, 51])
    cuts = st.tuples(st.integers(0, 96), st.integers(0, 96)).map(sorted)
    parts = data.draw(st.lists(cuts, max_size=5))
    for start, end in [*parts, (0, 97), *data.draw(st.permutations(parts))]:
        write(instrument, candles[start:end])
        if len(stored(instrument)):
            assert_higher_follow(instrument)

    for name in FIGURES:
        assert np.array_equal(stored(instrument)[name], candles[name])
    assert not Candle.objects.exclude(revision=0).filter(timeframe=1).exists()


def test_fingerprints_follow_every_change_and_are_kept_until_then(instrument):
    candles = minutes(DAY, [100.0] * 2 * 1440, source=Source.EXCHANGE)
    write(instrument, candles)
    span = (instrument, Timeframe.M1, DAY, DAY + 2 * DAY_MS)
    expected = combine([fingerprint(candles[:1440]), fingerprint(candles[1440:])])

    assert range_fingerprint(*span) == expected
    day = CandleDay.objects.get(timeframe=1, day=from_ms(DAY).date())
    assert (bytes(day.fingerprint), day.hashed_version) == (
        fingerprint(candles[:1440]),
        day.version,
    )
    assert range_fingerprint(*span) == expected

    candles["close"][5] += 0.5
    write(instrument, candles[5:6])
    assert range_fingerprint(*span) != expected
    assert range_fingerprint(*span) == combine(
        [fingerprint(candles[:1440]), fingerprint(candles[1440:])]
    )


def test_more_than_a_transaction_holds_is_written_whole(instrument):
    candles = minutes(DAY, np.full(70 * 1440, 100.0), source=Source.EXCHANGE)

    assert write(instrument, candles) == WriteResult(inserted=70 * 1440)

    assert len(stored(instrument, Timeframe.D1)) == 70
    assert Candle.objects.filter(timeframe=240).count() == 420


def test_an_impossible_candle_is_refused_before_anything_is_stored(instrument):
    candles = minutes(DAY, [100.0] * 3)
    candles["low"][2] = 500

    with pytest.raises(InvalidRecord, match="row 2"):
        write(instrument, candles)

    assert not Candle.objects.exists()
