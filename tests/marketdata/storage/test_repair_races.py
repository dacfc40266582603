"""A repair and the collector of the same instrument, in whatever order they come."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.stream import InstrumentStream
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import DataGap
from marketdata.storage import DatabaseSink, read_candles, read_trades
from marketdata.storage.filling import fill_trades, settle_trades
from tests.marketdata.storage.builders import DAY, SPEC, batch, make_instrument, tape

pytestmark = pytest.mark.django_db

# Eighteen trades in three minutes, of which the ids 8 to 10 of the second were missed.
TAPE = tape(DAY, np.arange(18.0) + 100)
MISSED = slice(7, 10)
HOLE = Hole(8, 10, int(TAPE["time_ms"][6]), int(TAPE["time_ms"][10]), HoleCause.LOSS)


@pytest.fixture
def market():
    market = make_instrument()
    market.is_enabled = True
    market.save()
    return market


@pytest.fixture
def sink():
    return DatabaseSink(None, "okx", None)


def first_minute():
    return batch(trades=TAPE[:7], minutes=aggregate_minutes(TAPE[:6], SPEC))


def flagged_second_minute():
    """The second minute as the collector closes it without the missed trades."""
    seen = np.concatenate([TAPE[6:7], TAPE[10:12]])
    minute = aggregate_minutes(seen, SPEC)
    minute["minutes"] = 0
    return batch(trades=TAPE[12:18], minutes=minute, exchange_ms=DAY + 3 * MINUTE_MS)


def given_up():
    return batch(trades=TAPE[10:12], opened=(HOLE,), given_up=(HOLE,))


def repair(market):
    fill_trades(market, TAPE[MISSED])
    settle_trades(market, HOLE.after_ms, HOLE.before_ms, 3, DAY + 10 * MINUTE_MS)


def second(market):
    stored = read_candles(market, Timeframe.M1, DAY + MINUTE_MS, DAY + 2 * MINUTE_MS)
    return stored[["trade_count", "volume", "minutes"]].tolist()


WHOLE = [(6, 3.0, 1)]


def test_a_minute_repaired_before_the_collector_closes_it_is_closed_whole(market, sink):
    sink.commit(first_minute())
    sink.commit(given_up())
    repair(market)
    assert not second(market), "the collector has not closed it: a restart would skip to after it"
    sink.commit(flagged_second_minute())
    assert second(market) == WHOLE


def test_a_minute_repaired_after_the_collector_closed_it_becomes_whole(market, sink):
    sink.commit(first_minute())
    sink.commit(given_up())
    sink.commit(flagged_second_minute())
    assert second(market) == [(3, 1.5, 0)]
    repair(market)
    assert second(market) == WHOLE


def test_the_collector_s_own_find_after_the_repair_changes_nothing(market, sink):
    sink.commit(first_minute())
    sink.commit(given_up())
    sink.commit(flagged_second_minute())
    repair(market)
    trades, candles = read_trades(market, DAY, DAY + DAY_MS), second(market)
    sink.commit(batch(trades=TAPE[MISSED], rebuild=(DAY + MINUTE_MS,), repaired=(HOLE,)))
    assert np.array_equal(read_trades(market, DAY, DAY + DAY_MS), trades)
    assert second(market) == candles
    assert DataGap.objects.get().state == "repaired"


def test_a_collector_that_starts_among_stored_pieces_of_a_gap_keeps_its_minute_incomplete(
    market, sink
):
    sink.commit(first_minute())
    sink.commit(given_up())
    fill_trades(market, TAPE[8:10])
    resume = sink.resume("BTC-USDT")
    assert resume.last_trade_id == 12
    assert [(hole.first_id, hole.last_id) for hole in resume.given_up] == [(8, 10)]
    DataGap.objects.update(state="repairing")
    assert sink.resume("BTC-USDT").given_up == resume.given_up
    DataGap.objects.update(state="unrepairable")
    assert sink.resume("BTC-USDT").given_up == resume.given_up


def test_merged_rows_and_the_single_matches_of_a_repair_are_never_counted_twice(market):
    merged = TAPE[9:10].copy()
    merged["count"], merged["size"] = 3, 1.5
    fill_trades(market, np.concatenate([TAPE[:7], merged, TAPE[10:]]))
    fill_trades(market, TAPE[6:12])
    stored = read_trades(market, DAY, DAY + DAY_MS)
    assert stored["trade_id"].tolist() == list(range(1, 19))
    assert stored["count"].sum() == 18
    assert stored["size"].sum() == TAPE["size"].sum()


def test_a_collector_that_starts_behind_the_newest_piece_of_a_gap_keeps_its_minute_incomplete(
    market, sink
):
    """The gap ends at the newest stored trade, which a repair brought before it was killed."""
    sink.commit(first_minute())
    sink.commit(batch(opened=(HOLE,)))
    fill_trades(market, TAPE[9:10])
    resume = sink.resume("BTC-USDT")
    assert resume.last_trade_id == 10
    stream = InstrumentStream(SPEC, resume, int(TAPE["time_ms"][10]))
    assert not stream.live(TAPE[10:12]).opened
    emission = stream.live(TAPE[12:18])
    sink.commit(batch(trades=TAPE[10:18], minutes=emission.minutes))
    assert [whole for _, _, whole in second(market)] == [0]
    repair(market)
    assert second(market) == WHOLE


def test_the_ids_of_a_gap_that_are_stored_from_its_beginning_leave_no_minute_incomplete(
    market, sink
):
    """A collector that was killed while it found its hole goes on behind what it found."""
    sink.commit(first_minute())
    sink.commit(batch(opened=(HOLE,)))
    sink.commit(batch(trades=TAPE[7:9]))
    resume = sink.resume("BTC-USDT")
    assert (resume.last_trade_id, resume.given_up) == (9, ())
    stream = InstrumentStream(SPEC, resume, int(TAPE["time_ms"][10]))
    assert [(hole.first_id, hole.last_id) for hole in stream.live(TAPE[10:12]).opened] == [(10, 10)]


def test_a_gap_that_candles_closed_lacks_its_trades_for_a_collector_that_starts(market, sink):
    sink.commit(first_minute())
    sink.commit(given_up())
    DataGap.objects.update(state="repaired", filled_with="candles")
    given = sink.resume("BTC-USDT").given_up
    assert [(hole.first_id, hole.last_id) for hole in given] == [(8, 10)]
