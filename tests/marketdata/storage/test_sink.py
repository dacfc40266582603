"""What a collector's batch leaves in the database."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.collector.errors import LostLease
from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.aggregation import aggregate_minutes, resample_all
from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.records import Opening, Source
from marketdata.domain.stream import InstrumentStream
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import (
    Candle,
    CandleDay,
    CandleRevision,
    Collector,
    DataGap,
    Trade,
    from_ms,
)
from marketdata.models import Opening as OpeningRow
from marketdata.storage import DatabaseSink, read_candles, read_trades
from tests.marketdata.storage.builders import (
    DAY,
    SPEC,
    batch,
    closed,
    make_instrument,
    minutes,
    random_tape,
    tape,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def instrument():
    return make_instrument()


@pytest.fixture
def sink():
    return DatabaseSink(None, "okx", None)


def contents():
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Trade, OpeningRow, Candle, CandleDay, CandleRevision, DataGap)
    ]


def test_a_batch_is_stored_whole_and_replaying_it_changes_nothing(instrument, sink):
    trades = random_tape(1, 2_000)
    hole = Hole(50, 60, DAY, DAY + 1, HoleCause.LOSS)
    whole = batch(
        exchange_ms=DAY + 3 * MINUTE_MS,
        trades=trades,
        minutes=closed(trades),
        openings=(Opening(DAY, 100.0, 1, DAY + 5),),
        opened=(hole,),
        repaired=(hole,),
    )

    sink.commit(whole)
    first = contents()
    sink.commit(whole)

    assert contents() == first
    assert np.array_equal(read_trades(instrument, DAY, DAY + DAY_MS), trades)
    stored = read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    expected = closed(trades)
    expected["closed_at_ms"] = DAY + 3 * MINUTE_MS
    assert np.array_equal(stored, expected)
    assert DataGap.objects.get().state == "repaired"
    assert OpeningRow.objects.get().executed_at == from_ms(DAY + 5)


def test_higher_candles_appear_when_their_last_minute_is_over(instrument, sink):
    trades = tape(DAY, [100.0] * 6 * 11)
    candles = aggregate_minutes(trades, SPEC)

    sink.commit(batch(minutes=candles[:4]))
    assert len(read_candles(instrument, Timeframe.M5, DAY, DAY + DAY_MS)) == 0

    sink.commit(batch(minutes=candles[4:5]))
    assert read_candles(instrument, Timeframe.M5, DAY, DAY + DAY_MS)["minutes"].tolist() == [5]


def test_a_window_with_a_minute_missing_is_written_once_a_later_minute_exists(instrument, sink):
    candles = aggregate_minutes(tape(DAY, [100.0] * 6 * 11), SPEC)
    sink.commit(batch(minutes=candles[:4]))

    sink.commit(batch(minutes=candles[5:6]))

    higher = read_candles(instrument, Timeframe.M5, DAY, DAY + DAY_MS)
    assert higher["minutes"].tolist() == [4]
    assert not CandleRevision.objects.exists()


def test_higher_candles_equal_the_resampled_minutes_whatever_the_batches(instrument, sink):
    trades = random_tape(7, 3_000, step_ms=60_000)
    candles = closed(trades)
    for part in np.array_split(candles, 37):
        sink.commit(batch(minutes=part))

    newest_end = int(candles["open_time_ms"][-1]) + MINUTE_MS
    stored_minutes = read_candles(instrument, Timeframe.M1, DAY, DAY + 30 * DAY_MS)
    for timeframe, expected in resample_all(stored_minutes, SPEC).items():
        expected = expected[expected["open_time_ms"] + timeframe.ms <= newest_end]
        stored = read_candles(instrument, timeframe, DAY, DAY + 30 * DAY_MS)
        assert len(stored) > 0
        for name in ("open_time_ms", "open", "high", "low", "close", "volume", "minutes"):
            assert np.array_equal(stored[name], expected[name]), (timeframe, name)


def test_a_late_trade_revises_its_minute_the_windows_above_and_the_flats_after(instrument, sink):
    trades = tape(DAY, [100.0] * 6 * 11)
    sink.commit(batch(trades=trades, minutes=aggregate_minutes(trades, SPEC)))
    late = tape(DAY + 30_500, [109.5], first_id=1_000)

    sink.commit(batch(trades=late, rebuild=(DAY,)))

    revised = read_candles(instrument, Timeframe.M1, DAY, DAY + 1)[0]
    assert (revised["high"], revised["trade_count"], revised["revision"]) == (109.5, 7, 1)
    assert read_candles(instrument, Timeframe.M5, DAY, DAY + 1)["high"] == [109.5]
    revisions = CandleRevision.objects.order_by("timeframe")
    assert [(row.timeframe, row.high, row.revision) for row in revisions] == [
        (1, 100.0, 1),
        (5, 100.0, 1),
    ]


def test_a_sink_whose_token_was_taken_over_writes_nothing(instrument):
    collector = Collector.objects.create(name="okx", exchange="okx", fencing_token=7)
    trades = tape(DAY, [100.0])

    DatabaseSink(collector.pk, "okx", 7).commit(batch(trades=trades))
    with pytest.raises(LostLease):
        DatabaseSink(collector.pk, "okx", 6).commit(batch(trades=tape(DAY, [1.0], first_id=9)))

    assert len(read_trades(instrument, DAY, DAY + DAY_MS)) == 1


def test_collection_resumes_after_the_newest_trade_with_the_trades_of_the_open_minute(
    instrument, sink
):
    assert sink.resume("BTC-USDT").last_trade_id is None
    trades = tape(DAY, [100.0] * 6 + [101.0, 102.0])
    sink.commit(batch(trades=trades, minutes=closed(trades)))

    resume = sink.resume("BTC-USDT")

    assert (resume.last_trade_id, resume.last_trade_ms) == (8, DAY + 70_000)
    assert (resume.last_close, resume.last_closed_open_ms) == (100.0, DAY)
    assert resume.open_trades["price"].tolist() == [101.0, 102.0]
    assert len(sink.today("BTC-USDT", DAY + DAY_MS - 1)) == 1


def test_collection_resumes_knowing_what_the_open_minute_lacks(instrument, sink):
    trades = tape(DAY, [100.0] * 6 + [101.0, 102.0])
    missed = tape(DAY + 75_000, [103.0], first_id=12)
    lacking = Hole(9, 11, DAY + 70_000, DAY + 75_000, HoleCause.LOSS)
    over = Hole(3, 4, DAY + 20_000, DAY + 30_000, HoleCause.LOSS)
    sink.commit(batch(trades=trades, minutes=closed(trades), opened=(over, lacking)))
    sink.commit(batch(trades=missed, given_up=(over, lacking)))

    assert sink.resume("BTC-USDT").given_up == (lacking,)

    sink.commit(batch(trades=tape(DAY + 71_000, [1.0] * 3, first_id=9), repaired=(lacking,)))

    assert sink.resume("BTC-USDT").given_up == ()


def test_collection_resumes_with_a_trade_that_is_later_than_the_newest_id(instrument, sink):
    trades = tape(DAY, [100.0] * 6 + [101.0, 102.0])
    trades["time_ms"][-2:] = DAY + 60_003, DAY + 59_999
    sink.commit(batch(trades=trades, minutes=closed(trades)))

    resume = sink.resume("BTC-USDT")

    assert (resume.last_trade_id, resume.last_closed_open_ms) == (8, DAY)
    assert resume.open_trades["trade_id"].tolist() == [7]


def test_a_first_start_that_was_given_up_is_known_after_a_restart(instrument, sink):
    sink.store_candles("BTC-USDT", closed(tape(DAY, [100.0] * 12))[:1], "history")
    unknown = Hole(None, 49, DAY + MINUTE_MS, DAY + 5 * MINUTE_MS, HoleCause.START)
    sink.commit(batch(opened=(unknown,)))
    assert not DataGap.objects.exists()
    seen = tape(DAY + 5 * MINUTE_MS, [101.0, 102.0], first_id=50)
    sink.commit(batch(trades=seen, given_up=(unknown,)))

    stream = InstrumentStream(SPEC, sink.resume("BTC-USDT"), DAY + 6 * MINUTE_MS)
    emission = stream.live(tape(DAY + 6 * MINUTE_MS, [103.0], first_id=52))

    assert emission.minutes[["open_time_ms", "minutes"]].tolist() == [(DAY + 5 * MINUTE_MS, 0)]
    assert DataGap.objects.get().reason


def test_a_gap_that_was_partly_filled_before_a_kill_is_repaired_with_the_rest(instrument, sink):
    hole = Hole(9, 20, DAY + 70_000, DAY + 75_000, HoleCause.LOSS)
    rest = Hole(12, 40, DAY + 72_000, DAY + 85_000, HoleCause.START)

    sink.commit(batch(opened=(hole,)))
    sink.commit(batch(opened=(rest,)))
    sink.commit(batch(repaired=(rest,)))

    assert {gap.state for gap in DataGap.objects.all()} == {"repaired"}


def figures(instrument):
    stored = read_candles(instrument, Timeframe.M1, DAY, DAY + DAY_MS)
    minute = (stored["open_time_ms"] - DAY) // MINUTE_MS
    return list(
        zip(
            minute.tolist(),
            stored["close"].tolist(),
            stored["source"].tolist(),
            stored["minutes"].tolist(),
            strict=True,
        )
    )


def commit_all(sink, *emissions):
    for emission in emissions:
        sink.commit(Batch((InstrumentBatch("BTC-USDT", emission, DAY + 9 * MINUTE_MS),)))


def stream_with_a_hole_behind_closed_minutes(sink):
    """Return a stream that closed two minutes by time before trades 13 and 14 were missed."""
    seen = tape(DAY, [100.0] * 6 + [101.0] * 6)
    sink.commit(batch(trades=seen[:6]))
    sink.commit(batch(minutes=closed(seen)))
    stream = InstrumentStream(SPEC, sink.resume("BTC-USDT"), DAY + MINUTE_MS)
    by_time = stream.live(seen), stream.tick(DAY + 3 * MINUTE_MS + 5_000)
    late = stream.live(tape(DAY + 5 * MINUTE_MS + 1, [102.0], first_id=15))
    commit_all(sink, *by_time, late)
    return stream, late.opened[0]


def test_minutes_that_closed_by_time_before_a_hole_are_incomplete_once_it_is_given_up(
    instrument, sink
):
    stream, hole = stream_with_a_hole_behind_closed_minutes(sink)
    assert figures(instrument) == [(0, 100.0, 0, 1), (1, 101.0, 0, 1), (2, 101.0, 3, 1)]

    commit_all(sink, stream.give_up(hole, DAY + 6 * MINUTE_MS))

    assert figures(instrument) == [(0, 100.0, 0, 1), (1, 101.0, 0, 0), (2, 101.0, 3, 0)]
    assert CandleRevision.objects.count() == 2
    exchange = minutes(DAY + MINUTE_MS, [108.0, 108.0], source=Source.EXCHANGE)
    sink.store_candles("BTC-USDT", exchange, "loss")
    assert figures(instrument)[1:] == [(1, 108.0, 1, 1), (2, 108.0, 1, 1)]


def test_all_minutes_of_a_hole_are_whole_when_it_is_repaired_after_it_was_given_up(
    instrument, sink
):
    stream, hole = stream_with_a_hole_behind_closed_minutes(sink)
    found = tape(DAY + 4 * MINUTE_MS, [103.0, 104.0], first_id=13)

    commit_all(sink, stream.give_up(hole, DAY + 6 * MINUTE_MS))
    commit_all(sink, stream.live(tape(DAY + 7 * MINUTE_MS, [105.0], first_id=16)))
    incomplete = [(1, 101.0, 0, 0), (2, 101.0, 3, 0), (5, 102.0, 0, 0)]
    assert figures(instrument)[1:-1] == incomplete
    commit_all(sink, stream.repaired(found, hole))

    assert figures(instrument) == [
        (0, 100.0, 0, 1),
        (1, 101.0, 0, 1),
        (2, 101.0, 3, 1),
        (3, 101.0, 3, 1),
        (4, 104.0, 0, 1),
        (5, 102.0, 0, 1),
        (6, 102.0, 3, 1),
    ]
    assert DataGap.objects.get().state == "repaired"
