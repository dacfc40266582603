"""What a collector's batch leaves in the database."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.collector.errors import LostLease
from marketdata.domain.aggregation import aggregate_minutes, resample_all
from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.records import Opening
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
    minutes = aggregate_minutes(trades, SPEC)
    sink.commit(batch(trades=trades, minutes=minutes))
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
    minutes = stream.live(tape(DAY + 6 * MINUTE_MS, [103.0], first_id=52)).minutes

    assert minutes[["open_time_ms", "minutes"]].tolist() == [(DAY + 5 * MINUTE_MS, 0)]
    assert DataGap.objects.get().reason


def test_a_gap_that_was_partly_filled_before_a_kill_is_repaired_with_the_rest(instrument, sink):
    hole = Hole(9, 20, DAY + 70_000, DAY + 75_000, HoleCause.LOSS)
    rest = Hole(12, 40, DAY + 72_000, DAY + 85_000, HoleCause.START)

    sink.commit(batch(opened=(hole,)))
    sink.commit(batch(opened=(rest,)))
    sink.commit(batch(repaired=(rest,)))

    assert {gap.state for gap in DataGap.objects.all()} == {"repaired"}
