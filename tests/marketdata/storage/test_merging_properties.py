"""The rules for two candles of one minute, whatever comes in whatever order."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.records import Source
from marketdata.storage.merging import FIGURES, better_minutes, differs, merge
from tests.marketdata.storage.builders import DAY, minutes

WHOLE = [Source.TRADES, Source.EXCHANGE, Source.IMPORTED]
ORDER = [*((source, 1) for source in WHOLE), *((source, 0) for source in WHOLE), (Source.FLAT, 1)]
"""What beats what, the best first: a source, and whether the minute is whole."""

EXAMPLES = settings(max_examples=300)


def candle(source, whole=1, close=100.0, trades=-1):
    one = minutes(DAY, [close], source=source, whole=whole)
    if source is Source.TRADES:
        one["trade_count"] = trades if trades >= 0 else 5
    return one


@st.composite
def stretches(draw, number=6):
    """Return some minutes of a stretch of `number`, of every kind, with few different prices."""
    candles = minutes(DAY, [100.0] * number)
    chosen = draw(st.lists(st.booleans(), min_size=number, max_size=number))
    for row in range(number):
        source, whole = draw(st.sampled_from(ORDER))
        candles[row : row + 1] = candle(
            source, whole, 100.0 + draw(st.integers(0, 2)), draw(st.integers(1, 3))
        )
        candles["open_time_ms"][row] = DAY + row * 60_000
    return candles[np.array(chosen, dtype=bool)]


def ranks(candles):
    kinds = zip(candles["source"].tolist(), candles["minutes"].tolist(), strict=True)
    return [ORDER.index((Source(source), whole)) for source, whole in kinds]


def said(candles, *names):
    return candles[["open_time_ms", *(names or FIGURES)]].tolist()


def written(*parts):
    """Return what is stored after writing `parts` one after another."""
    stored = parts[0][:0]
    for part in parts:
        stored = merge(stored, part, better_minutes).after
    return stored


@pytest.mark.parametrize(("better", "worse"), list(combinations(ORDER, 2)))
def test_the_table_of_what_beats_what(better, worse):
    best, other = candle(*better, close=100.0), candle(*worse, close=101.0)

    assert better_minutes(other, best).tolist() == [True]
    assert better_minutes(best, other).tolist() == [False]


@EXAMPLES
@given(stretches(), stretches())
def test_writing_the_same_again_changes_nothing(stored, incoming):
    first = merge(stored, incoming, better_minutes)
    again = merge(first.after, incoming, better_minutes)

    assert not again.inserted.any()
    assert not again.changed.any()
    assert again.after.tolist() == first.after.tolist()


@EXAMPLES
@given(stretches(), stretches())
def test_a_minute_is_never_replaced_by_a_worse_one_nor_lost(stored, incoming):
    merged = merge(stored, incoming, better_minutes)

    rank_of = dict(zip(merged.after["open_time_ms"].tolist(), ranks(merged.after), strict=True))
    for candles in (stored, incoming):
        for open_ms, rank in zip(candles["open_time_ms"].tolist(), ranks(candles), strict=True):
            assert rank_of[open_ms] <= rank
    assert len(rank_of) == len(np.union1d(stored["open_time_ms"], incoming["open_time_ms"]))


@EXAMPLES
@given(stretches(), stretches())
def test_only_what_says_something_else_is_a_change_and_each_change_is_a_revision(stored, incoming):
    merged = merge(stored, incoming, better_minutes)

    before = np.isin(merged.after["open_time_ms"], stored["open_time_ms"])
    kept = merged.after[before]
    assert np.array_equal(differs(stored, kept), merged.changed[before])
    assert np.array_equal(kept["revision"] - stored["revision"], merged.changed[before])
    assert np.array_equal(kept["closed_at_ms"], stored["closed_at_ms"])
    assert said(merged.before) == said(stored[merged.changed[before]])


@EXAMPLES
@given(st.lists(stretches(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_source_that_stays_does_not_depend_on_the_order(parts, random):
    shuffled = list(parts)
    random.shuffle(shuffled)

    names = ("source", "minutes")
    assert said(written(*parts), *names) == said(written(*shuffled), *names)


@EXAMPLES
@given(st.lists(stretches(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_all_of_the_result_is_independent_of_the_order_where_no_source_contradicts_itself(
    parts, random
):
    for part in parts:
        # One truth for each source and number of trades.
        part["close"] = part["open"] = 100.0 + part["source"] + np.maximum(part["trade_count"], 0)
        part["high"], part["low"] = part["close"] + 1, part["close"] - 1
        part["quote_volume"] = part["volume"] * part["close"]
    shuffled = list(parts)
    random.shuffle(shuffled)

    assert said(written(*parts)) == said(written(*shuffled))


@pytest.mark.parametrize("source", [Source.EXCHANGE, Source.IMPORTED])
def test_a_later_answer_of_the_same_source_counts_and_leaves_a_revision(source):
    first, later = candle(source, close=100.0), candle(source, close=101.0)

    stored = written(first, later)

    assert stored["close"].tolist() == [101.0]
    assert stored["revision"].tolist() == [1]


def test_of_two_built_from_trades_the_one_of_more_trades_stays_whichever_came_first():
    fewer = candle(Source.TRADES, close=100.0, trades=4)
    more = candle(Source.TRADES, close=101.0, trades=5)

    assert written(fewer, more)["close"].tolist() == [101.0]
    assert written(more, fewer)["close"].tolist() == [101.0]


def test_of_two_built_from_equally_many_trades_the_first_stays():
    first = candle(Source.TRADES, close=100.0, trades=4)
    other = candle(Source.TRADES, close=101.0, trades=4)

    assert written(first, other)["close"].tolist() == [100.0]


def test_a_flat_minute_never_replaces_another():
    assert written(candle(Source.FLAT), candle(Source.FLAT, close=101.0))["close"] == [100.0]
