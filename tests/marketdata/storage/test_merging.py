"""Which candle stays when two are of the same minute."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.errors import InvalidRecord
from marketdata.domain.records import Source, empty_candles
from marketdata.storage.merging import better_minutes, differs, merge
from tests.marketdata.storage.builders import DAY, minutes


def candle(source, close=100.0, *, trades=-1, whole=1):
    one = minutes(DAY, [close], source=source, whole=whole)
    one["trade_count"] = trades
    return one


@pytest.mark.parametrize(
    ("stored", "incoming", "is_replaced"),
    [
        (candle(Source.FLAT), candle(Source.TRADES, trades=1), True),
        (candle(Source.FLAT), candle(Source.IMPORTED), True),
        (candle(Source.IMPORTED), candle(Source.EXCHANGE), True),
        (candle(Source.EXCHANGE), candle(Source.TRADES, trades=1), True),
        (candle(Source.TRADES, trades=1), candle(Source.EXCHANGE, 200.0), False),
        (candle(Source.EXCHANGE), candle(Source.IMPORTED, 200.0), False),
        (candle(Source.IMPORTED), candle(Source.FLAT, 200.0), False),
        (candle(Source.EXCHANGE), candle(Source.EXCHANGE), False),
        (candle(Source.EXCHANGE), candle(Source.EXCHANGE, 200.0), True),
        (candle(Source.TRADES, trades=5), candle(Source.TRADES, 200.0, trades=6), True),
        (candle(Source.TRADES, trades=5), candle(Source.TRADES, 200.0, trades=4), False),
        (candle(Source.FLAT), candle(Source.FLAT, 200.0), False),
        (candle(Source.TRADES, trades=5, whole=0), candle(Source.EXCHANGE), True),
        (candle(Source.EXCHANGE), candle(Source.TRADES, trades=5, whole=0), False),
        (candle(Source.TRADES, trades=5, whole=0), candle(Source.FLAT), False),
        (candle(Source.TRADES, trades=5, whole=0), candle(Source.TRADES, trades=5), True),
    ],
)
def test_the_better_source_and_the_whole_minute_win(stored, incoming, is_replaced):
    assert better_minutes(stored, incoming).tolist() == [is_replaced]


def test_a_replaced_candle_keeps_its_closing_time_and_counts_its_revisions():
    stored = minutes(DAY, [100.0, 101.0, 102.0])
    stored["closed_at_ms"], stored["revision"] = DAY + 5, 2
    incoming = minutes(DAY + 60_000, [200.0])

    merged = merge(stored, incoming, differs)

    assert merged.after["close"].tolist() == [100.0, 200.0, 102.0]
    assert merged.after["revision"].tolist() == [2, 3, 2]
    assert merged.after["closed_at_ms"].tolist() == [DAY + 5] * 3
    assert merged.changed.tolist() == [False, True, False]
    assert merged.before["close"].tolist() == [101.0]


def test_new_candles_take_their_places_among_stored_ones():
    stored = minutes(DAY + 60_000, [101.0, 102.0])
    incoming = minutes(DAY, [100.0, 101.0, 102.0, 103.0])

    merged = merge(stored, incoming, differs)

    assert merged.after["close"].tolist() == [100.0, 101.0, 102.0, 103.0]
    assert merged.inserted.tolist() == [True, False, False, True]
    assert not merged.changed.any()
    assert np.array_equal(merge(empty_candles(), incoming, differs).after, incoming)


def test_candles_out_of_order_are_refused():
    with pytest.raises(InvalidRecord):
        merge(empty_candles(), minutes(DAY, [1.0, 2.0])[::-1], differs)
