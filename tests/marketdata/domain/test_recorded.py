"""Candles built here against the ones the exchanges published, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.aggregation import aggregate_minutes, resample
from marketdata.domain.events import Resume
from marketdata.domain.quality import check_candles, missing_minutes
from marketdata.domain.records import Source
from marketdata.domain.stream import InstrumentStream
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from tests.marketdata.domain.builders import table
from tests.marketdata.domain.market import Store
from tests.marketdata.domain.recordings import (
    BINANCE,
    KRAKEN,
    OKX,
    binance_candles,
    binance_tape,
    kraken_candles,
    kraken_tape,
    okx_candles,
)

SHAPE = ("open_time_ms", "open", "high", "low", "close", "volume")


def test_binance_trades_make_binance_candles(shared_data):
    tape, published = binance_tape(shared_data), binance_candles(shared_data)
    assert len(tape) == 19_904
    assert (np.diff(tape["trade_id"]) == 1).all()

    # The first and the last minute of the tape are not whole.
    built = table(aggregate_minutes(tape, BINANCE)[1:-1], *SHAPE)

    assert len(built) == 10
    assert built == [row for row in published if row[0] in {minute[0] for minute in built}]


def test_the_same_candles_come_through_a_stream_in_batches(shared_data):
    tape, published = binance_tape(shared_data), binance_candles(shared_data)
    store = Store(BINANCE)
    stream = InstrumentStream(BINANCE, Resume(), int(tape["time_ms"][0]) + 30_000)

    for first in range(0, len(tape), 512):
        store.keep(stream.live(tape[first : first + 512]))

    # The feed was connected within the first minute: the hole of the start withholds it.
    (hole,) = stream.holes
    assert len(store.candles) == 0
    store.keep(stream.give_up(hole, int(tape["time_ms"][-1])))
    built = store.candles
    assert built["minutes"].tolist() == [0] + [1] * 10
    assert table(built[1:], *SHAPE) == [
        row for row in published if row[0] in built["open_time_ms"][1:]
    ]


def test_kraken_trades_make_kraken_candles_and_its_empty_minutes_are_flat(shared_data):
    tape, published = kraken_tape(shared_data), kraken_candles(shared_data)
    assert len(tape) == 1_000
    assert (np.diff(tape["trade_id"]) == 1).all()
    store = Store(KRAKEN)
    stream = InstrumentStream(KRAKEN, Resume(), int(tape["time_ms"][0]))

    opened = store.keep(stream.live(tape)).opened
    store.keep(stream.give_up(opened[0], int(tape["time_ms"][-1])))

    # The tape begins within its first minute and ends within its last.
    candles = store.candles
    assert candles["minutes"].tolist() == [0] + [1] * 409
    first_ms, last_ms = candles["open_time_ms"][[1, -1]].tolist()
    built = table(candles[1:], *SHAPE, "trade_count")
    assert built == [row for row in published if first_ms <= row[0] <= last_ms]
    flat = candles[candles["source"] == Source.FLAT]
    assert (len(flat), len(built) - len(flat)) == (137, 272)
    assert not flat["volume"].any()


@pytest.mark.parametrize(
    ("timeframe", "covered", "different"),
    [
        (Timeframe.M5, 9_513, ["2022-01-20T09:20"]),
        (Timeframe.M15, 776, []),
        (Timeframe.H1, 818, []),
        (Timeframe.H4, 107, []),
        (Timeframe.D1, 17, []),
    ],
)
def test_okx_minutes_resample_to_okx_candles(shared_data, timeframe, covered, different):
    minutes, published = okx_candles(shared_data, "1m"), okx_candles(shared_data, timeframe)

    built = resample(minutes, timeframe, OKX)

    whole = built[built["minutes"] == timeframe.minutes]
    both = np.isin(whole["open_time_ms"], published["open_time_ms"])
    ours = {row[0]: row for row in table(whole[both], *SHAPE)}
    theirs = {row[0]: row for row in table(published, *SHAPE)}
    unequal = [open_ms for open_ms, row in ours.items() if row != theirs[open_ms]]
    named = [str(np.datetime64(open_ms, "ms"))[:16] for open_ms in unequal]
    assert (len(ours), named) == (covered, different)


def test_the_holes_of_a_downloader_are_found(shared_data):
    minutes = okx_candles(shared_data, "1m")
    start_ms = int(minutes["open_time_ms"][0])
    end_ms = int(minutes["open_time_ms"][-1]) + MINUTE_MS

    holes = missing_minutes(minutes, start_ms, end_ms)

    check_candles(minutes)
    assert len(holes) == 93
    assert {(end - start) // MINUTE_MS for start, end in holes} == {199, 200}
    assert (holes[0][0] - start_ms) // MINUTE_MS == 43_197
