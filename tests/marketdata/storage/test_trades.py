"""The tape holds every match once, whatever comes in which order."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketdata.domain.records import empty_trades, trade_array
from marketdata.models import Trade
from marketdata.storage.overlaps import settle
from marketdata.storage.trades import read_trades, write_trades
from tests.marketdata.storage.builders import DAY, make_instrument, random_tape, tape

DAY_MS = 86_400_000


def rows(*items, time_ms=DAY):
    """Return trades of (last id, count), all at one time."""
    return trade_array([(last, time_ms, 100.0, 0.1 * count, 1, count) for last, count in items])


def covered(trades):
    ids = [
        each
        for trade in trades
        for each in range(trade["trade_id"] - trade["count"] + 1, trade["trade_id"] + 1)
    ]
    assert len(ids) == len(set(ids)), "a match is there twice"
    return set(ids)


def settled(stored, incoming):
    result = settle(stored, incoming)
    kept = [row for row in stored.tolist() if row not in result.gone.tolist()]
    return trade_array(kept + result.added.tolist())


@pytest.fixture
def instrument(db):
    return make_instrument()


def write(instrument, trades):
    with transaction.atomic(), connection.cursor() as cursor:
        write_trades(cursor, instrument.pk, trades)


def stored(instrument):
    return read_trades(instrument, DAY - DAY_MS, DAY + 2 * DAY_MS)


@pytest.mark.parametrize(
    ("known", "incoming", "expected"),
    [
        ([(1, 1), (2, 1)], [(2, 1), (3, 1)], [(1, 1), (2, 1), (3, 1)]),
        ([(3, 3)], [(1, 1), (2, 1), (3, 1)], [(1, 1), (2, 1), (3, 1)]),
        ([(3, 3)], [(1, 1), (2, 1)], [(3, 3)]),
        ([(3, 3)], [(3, 1)], [(3, 3)]),
        ([(1, 1), (2, 1)], [(3, 3)], [(3, 3)]),
        ([(1, 1), (2, 1), (3, 1)], [(3, 3)], [(1, 1), (2, 1), (3, 1)]),
        ([(3, 3)], [(3, 3)], [(3, 3)]),
        ([(3, 2)], [(5, 5)], [(5, 5)]),
    ],
)
def test_single_matches_replace_an_aggregated_row_that_they_cover(known, incoming, expected):
    result = settled(rows(*known), rows(*incoming))

    assert sorted((row["trade_id"], row["count"]) for row in result) == expected


@given(st.data())
def test_no_match_is_ever_there_twice_or_lost(data):
    # The exchange cuts its tape into aggregated rows in one way only.
    cuts = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))
    lasts = np.cumsum(cuts).tolist()
    merged = list(zip(lasts, cuts, strict=True))
    singles = [(last, 1) for last in range(1, lasts[-1] + 1)]
    known = empty_trades()
    seen: set[int] = set()
    for _ in range(data.draw(st.integers(1, 5))):
        incoming = rows(*data.draw(st.lists(st.sampled_from(merged + singles), unique=True)))
        known = settled(known, incoming)
        seen |= {
            each
            for row in incoming
            for each in range(row["trade_id"] - row["count"] + 1, row["trade_id"] + 1)
        }
        assert covered(known) == seen


def test_trades_are_read_back_as_they_were_written(instrument):
    trades = random_tape(5, 7_000)

    write(instrument, trades)

    assert np.array_equal(stored(instrument), trades)
    assert Trade.objects.get(trade_id=7_000).price == trades["price"][-1]


@pytest.mark.django_db
@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_overlapping_batches_in_any_order_leave_the_same_tape(instrument, data):
    trades = random_tape(11, 200, step_ms=30_000)
    Trade.objects.all().delete()
    starts = data.draw(st.lists(st.integers(0, 190), min_size=1, max_size=6))
    parts = [(start, data.draw(st.integers(start + 1, 200))) for start in [*starts, 0]] + [(0, 200)]
    for start, end in data.draw(st.permutations(parts)):
        write(instrument, data.draw(st.sampled_from([trades[start:end], trades[start:end][::-1]])))

    assert np.array_equal(stored(instrument), trades)


def test_an_old_trade_among_live_ones_is_stored_once(instrument):
    old, live = tape(DAY, [100.0]), tape(DAY + DAY_MS, [101.0, 102.0], first_id=500)
    write(instrument, old)

    write(instrument, np.concatenate([live, old]))

    assert stored(instrument)["trade_id"].tolist() == [1, 500, 501]


def test_a_repaired_range_replaces_the_aggregated_rows_in_the_table(instrument):
    write(instrument, rows((3, 3), (5, 2)))

    write(instrument, np.concatenate([rows((1, 1), (2, 1), (3, 1)), rows((7, 2))]))

    found = stored(instrument)
    assert found[["trade_id", "count"]].tolist() == [(1, 1), (2, 1), (3, 1), (5, 2), (7, 2)]


def test_trades_of_another_instrument_are_left_alone(instrument):
    other = make_instrument("ETH-USDT")
    write(instrument, rows((1, 1)))
    write(other, rows((1, 1), (2, 1)))

    assert len(stored(instrument)) == 1
    assert len(stored(other)) == 2
