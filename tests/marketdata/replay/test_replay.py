"""A stored stretch fed through the stack again gives the same candles, every time."""

from __future__ import annotations

import time

import pytest
from django.core.management import CommandError, call_command

from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Candle, Collector, DataGap, Instrument, Opening, Trade, from_ms
from marketdata.models import RawMessage as RawMessageRow
from marketdata.replay import reading
from marketdata.replay.running import CannotReplay, replay
from marketdata.storage import DatabaseSink, read_candles, read_trades
from marketdata.storage.raw import RawWriter
from tests.marketdata.storage.builders import DAY, batch, closed, make_instrument, random_tape

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stored():
    """Ninety minutes of an instrument as a collector stored them, from 00:00 on."""
    instrument = make_instrument()
    trades = random_tape(7, 1_500)
    sink = DatabaseSink(None, "okx", None)
    sink.commit(
        batch(trades=trades, minutes=closed(trades), exchange_ms=int(trades["time_ms"][-1]))
    )
    return instrument


def rows(exchange):
    place = Instrument.objects.get(exchange=exchange)
    candles = Candle.objects.filter(instrument=place).order_by("timeframe", "open_time").values()
    trades = Trade.objects.filter(instrument=place).order_by("trade_id").values()
    openings = Opening.objects.filter(instrument=place).order_by("open_time").values()
    for row in trades:
        del row["received_at"]
    for row in openings:
        del row["committed_at"]
    return list(candles), list(trades), list(openings)


def test_the_candles_of_every_timeframe_equal_the_stored_ones(stored):
    compared = replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    assert [one.timeframe.value for one in compared] == ["1m", "5m", "15m"]
    assert [one.candles for one in compared] == [70, 14, 4]
    assert all(one.is_equal and one.replayed == one.candles for one in compared)


def test_busy_hours_are_read_in_smaller_chunks_of_the_same_steps(stored, monkeypatch):
    span = [stored], DAY, DAY + 90 * MINUTE_MS
    whole = list(reading.read_steps(*span))
    monkeypatch.setattr(reading, "MOST_ROWS", 200)
    small = list(reading.read_steps(*span))
    assert len(small) > len(whole) == 2
    assert max(sum(step.rows for step in chunk) for chunk in small) < 250
    frames = [frame for chunk in whole for step in chunk for frame in step.frames]
    again = [frame for chunk in small for step in chunk for frame in step.frames]
    assert again == frames


def test_two_runs_give_the_same_rows(stored):
    replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    first = rows("okx-replay")
    replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    assert rows("okx-replay") == first
    assert len(first[0]) > 70
    assert len(first[1]) > 1_000


def test_the_trades_arrive_as_they_were(stored):
    start_ms, end_ms = DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS
    replay("okx", ["BTC-USDT"], start_ms, end_ms, name="again")
    place = Instrument.objects.named("again", "BTC-USDT")
    assert (
        read_trades(place, 0, 10 * DAY + DAY_MS).tolist()
        == read_trades(stored, start_ms, end_ms).tolist()
    )


def test_what_a_changed_candle_said_is_told_as_a_difference(stored):
    changed = Candle.objects.filter(
        instrument=stored, timeframe=1, open_time=from_ms(DAY + 20 * MINUTE_MS)
    )
    changed.update(close=changed.get().high)
    compared = replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    assert [(one.timeframe.value, one.different) for one in compared] == [
        ("1m", 1),
        ("5m", 0),
        ("15m", 0),
    ]
    assert not compared[0].is_equal


def test_stored_candle_pushes_close_the_minutes_they_confirmed(stored):
    open_ms = DAY + 30 * MINUTE_MS
    candle = read_candles(stored, Timeframe.M1, open_ms, open_ms + MINUTE_MS)[0]
    volume = repr(float(candle["volume"]))
    # Pushed half a second after the minute, long before the next trade could close it.
    payload = f'["{open_ms}","1","2","1","2","{volume}","1","1","1"]'.encode()
    Trade.objects.filter(
        instrument=stored,
        executed_at__gte=from_ms(open_ms + MINUTE_MS),
        executed_at__lt=from_ms(open_ms + MINUTE_MS + 3_000),
    ).delete()
    message = RawMessage(
        RawChannel.CANDLES, "BTC-USDT", open_ms + MINUTE_MS + 500, open_ms, payload
    )
    RawWriter("okx").write([message])
    replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    place = Instrument.objects.named("okx-replay", "BTC-USDT")
    again = read_candles(place, Timeframe.M1, open_ms, open_ms + MINUTE_MS)[0]
    assert again["closed_at_ms"] == open_ms + MINUTE_MS
    assert again["source"] == Source.TRADES


def test_tickers_books_and_announcements_are_kept_again_as_they_came(stored):
    at = DAY + 20 * MINUTE_MS + 123
    ticker = '{"instId":"BTC-USDT","last":"1","bidPx":"0.9","askPx":"1.1","ts":"%d"}'
    book = '{"asks":[["1.1","2","0","1"]],"bids":[["0.9","2","0","1"]],"ts":"%d","seqId":7}'
    status = '{"title":"Upgrade","state":"scheduled","ts":"%d"}'
    RawWriter("okx").write(
        [
            RawMessage(channel, symbol, at + offset, at, (text % (at + offset)).encode())
            for offset in (0, 400, 20_000, 3_000_000)
            for channel, symbol, text in (
                (RawChannel.TICKERS, "BTC-USDT", ticker),
                (RawChannel.BOOKS, "BTC-USDT", book),
                (RawChannel.STATUS, None, status),
            )
        ]
    )

    compared = replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    first = kept("okx-replay")
    replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)

    assert kept("okx-replay") == first
    assert [row[:4] for row in first] == [row[:4] for row in kept("okx")]
    assert len(first) == 12
    # They move the exchange's clock, and no candle.
    assert all(one.is_equal for one in compared)


def kept(exchange):
    """Return what is kept of an exchange: channel, symbol, time, payload, and when it came."""
    return list(
        RawMessageRow.objects.filter(exchange=exchange)
        .order_by("channel", "exchange_time")
        .values_list("channel", "instrument__symbol", "exchange_time", "payload", "received_at")
    )


def test_minutes_without_trades_and_a_long_silence_are_flat_again():
    instrument = make_instrument()
    first = random_tape(1, 30, step_ms=5_000)
    later = random_tape(2, 30, start_ms=DAY + 3 * 3_600_000, step_ms=5_000)
    later["trade_id"] += 30
    sink = DatabaseSink(None, "okx", None)
    for tape in (first, later):
        sink.commit(batch(trades=tape, exchange_ms=int(tape["time_ms"][-1])))
    replay("okx", None, DAY, DAY + 4 * 3_600_000)
    place = Instrument.objects.named("okx-replay", "BTC-USDT")
    candles = read_candles(place, Timeframe.M1, DAY, DAY + 4 * 3_600_000)
    assert len(candles) == 240
    assert (candles["source"] == Source.FLAT).sum() > 170
    assert instrument.pk != place.pk


def test_the_place_of_a_replay_is_never_collected(stored):
    replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    place = Instrument.objects.named("okx-replay", "BTC-USDT")
    assert (place.is_enabled, place.collector) == (False, None)
    assert not Collector.objects.exists()


@pytest.mark.parametrize("name", ["okx", "okx-sim", "busy"])
def test_a_live_exchange_is_no_place_for_a_replay(stored, name):
    Collector.objects.create(name="busy", exchange="busy")
    with pytest.raises(CannotReplay, match="live exchange"):
        replay("okx", None, DAY, DAY + DAY_MS, name=name)


def test_the_command_says_that_the_candles_are_equal(stored, capsys):
    call_command(
        "replay", "--exchange", "okx", "--symbol", "BTC-USDT", "--speed", "max",
        "--from", "2024-01-01T00:10", "--to", "2024-01-01T01:20",
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("equal" in line for line in lines)


def test_the_command_fails_when_they_are_not_and_when_there_is_nothing(stored):
    Candle.objects.filter(open_time=from_ms(DAY + 20 * MINUTE_MS), timeframe=1).delete()
    stretch = ("--exchange", "okx", "--from", "2024-01-01T00:10", "--to", "2024-01-01T01:20")
    with pytest.raises(CommandError, match="other candles"):
        call_command("replay", *stretch)
    with pytest.raises(CommandError, match="no trades"):
        call_command("replay", *stretch, "--symbol", "ETH-USDT")


def test_a_speed_paces_the_replay_by_exchange_time(stored):

    begun = time.monotonic()
    replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 20 * MINUTE_MS, speed=600)
    assert time.monotonic() - begun > 0.9


def test_what_is_missing_in_the_stretch_is_said_to_be_beyond_repair(stored):
    lost = Trade.objects.filter(instrument=stored).order_by("trade_id")[700]
    Trade.objects.filter(instrument=stored, trade_id=lost.trade_id).delete()
    compared = replay("okx", None, DAY + 10 * MINUTE_MS, DAY + 80 * MINUTE_MS)
    (gap,) = DataGap.objects.all()
    assert (gap.first_trade_id, gap.last_trade_id) == (lost.trade_id, lost.trade_id)
    assert (gap.instrument.exchange, gap.state) == ("okx-replay", "unrepairable")
    assert not compared[0].is_equal
