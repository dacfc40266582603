"""Hashes of candles."""

from __future__ import annotations

import hashlib
import struct

import pytest

from marketdata.domain.aggregation import aggregate_minutes, flat_minutes
from marketdata.domain.columns import CandleColumns
from marketdata.domain.fingerprint import combine, day_fingerprints, fingerprint
from marketdata.domain.timeframe import DAY_MS
from tests.marketdata.domain.builders import BTC, at, trades


def candles():
    return aggregate_minutes(trades((1, "10:00:01", 1.5, 2.0), (2, "10:01:01", 3.0, 4.0)), BTC)


def test_a_fingerprint_is_the_hash_of_times_prices_and_volumes():
    packed = struct.pack("<q5d", at("10:00:00"), 1.5, 1.5, 1.5, 1.5, 2.0)
    packed += struct.pack("<q5d", at("10:01:00"), 3.0, 3.0, 3.0, 3.0, 4.0)

    assert fingerprint(candles()) == hashlib.sha256(packed).digest()


@pytest.mark.parametrize("name", ["open_time_ms", "open", "high", "low", "close", "volume"])
def test_any_change_of_a_figure_changes_the_fingerprint(name):
    changed = candles()
    changed[name][1] += 1

    assert fingerprint(changed) != fingerprint(candles())


def test_how_a_candle_came_about_does_not_change_the_fingerprint():
    other = candles()
    for name in ("quote_volume", "trade_count", "source", "closed_at_ms", "revision", "minutes"):
        other[name] += 1

    assert fingerprint(other) == fingerprint(candles())


def test_negative_zero_is_zero():
    flat = flat_minutes(at("10:00:00"), at("10:00:00"), 1.0)
    negative = flat.copy()
    negative["volume"] = -0.0

    assert fingerprint(negative) == fingerprint(flat)


def test_a_range_is_the_hash_of_its_days_in_their_order():
    one, two = fingerprint(candles()[:1]), fingerprint(candles()[1:])

    assert combine([one, two]) == hashlib.sha256(one + two).digest()
    assert combine([two, one]) != combine([one, two])
    assert combine([]) == hashlib.sha256(b"").digest()


def test_every_day_that_has_candles_has_a_fingerprint_of_its_own():
    made = flat_minutes(at("10:00:00"), at("10:03:00"), 1.0)
    made["open_time_ms"][2:] += 3 * DAY_MS
    first = at("10:00:00") // DAY_MS

    assert day_fingerprints(made) == {
        first: fingerprint(made[:2]),
        first + 3: fingerprint(made[2:]),
    }
    assert day_fingerprints(CandleColumns.of(made)) == day_fingerprints(made)
    assert day_fingerprints(made[:0]) == {}
