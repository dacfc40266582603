"""Minutes that no socket confirmed are compared with the exchange's history, and repaired."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.events import Emission
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.exchanges import open_history
from marketdata.loading.listing import sync_instruments
from marketdata.models import (
    Candle,
    CandleCheck,
    CandleConflict,
    CandleRevision,
    Instrument,
    from_ms,
)
from marketdata.storage import DatabaseSink, integrity, read_candles, read_trades
from marketdata.verification.running import verify_minutes
from tcpdashboard.common.models import Alert
from tests.simulated_exchange import START_MS, spawned_exchange

MINUTES = 4

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with spawned_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture
def btc(exchange, settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = exchange.rest
    sync_instruments("okx-sim")
    return Instrument.objects.named("okx-sim", "BTC-USDT")


@pytest.fixture
def tape(btc):
    """The exchange's own trades of some minutes before its start, and one trade after them."""

    async def fetch():
        pages = []
        async with open_history("okx-sim") as history:
            before_id = None
            while not pages or pages[-1]["time_ms"][0] >= FIRST_MS:
                page = await history.trades_before("BTC-USDT", before_id)
                pages.append(page)
                before_id = int(page["trade_id"][0])
        return np.concatenate(pages[::-1])

    trades = asyncio.run(fetch())
    after = np.searchsorted(trades["time_ms"], FIRST_MS + MINUTES * MINUTE_MS)
    return trades[trades["time_ms"] >= FIRST_MS][: after + 1]


FIRST_MS = START_MS - 20 * MINUTE_MS
END_MS = FIRST_MS + MINUTES * MINUTE_MS


def collect(btc, trades):
    """Store trades and their minutes as a collector does whose candle channel is silent."""
    candles = aggregate_minutes(trades, btc.spec)
    candles = candles[candles["open_time_ms"] < END_MS]
    batch = InstrumentBatch("BTC-USDT", Emission(trades=trades, minutes=candles), END_MS)
    DatabaseSink(None, "okx-sim", None).commit(Batch((batch,)))
    return candles


def whole(btc):
    return integrity(btc, Timeframe.M1, FIRST_MS, END_MS)


def place(trades, minute):
    """Return the rows of one of the minutes."""
    start_ms = FIRST_MS + minute * MINUTE_MS
    inside = (trades["time_ms"] >= start_ms) & (trades["time_ms"] < start_ms + MINUTE_MS)
    return np.flatnonzero(inside)


def later():
    """Let the pauses between attempts pass."""
    earlier = timezone.now() - timedelta(hours=1)
    CandleConflict.objects.exclude(tried_at=None).update(tried_at=earlier)
    CandleCheck.objects.exclude(asked_at=None).update(asked_at=earlier)


def test_everything_is_verified_without_a_socket(btc, tape):
    collect(btc, tape)
    assert whole(btc).verified_share == 0

    assert verify_minutes()

    assert whole(btc).verified_share == 1
    assert not CandleConflict.objects.exists()


def test_minutes_that_the_socket_may_still_confirm_are_left_to_it(btc, tape, settings):
    settings.VERIFY_AFTER_MINUTES = 10_000
    collect(btc, tape)

    verify_minutes()

    assert whole(btc).verified == 0


def test_a_trade_that_was_lost_is_fetched_again_and_the_candle_becomes_the_exchange_s(btc, tape):
    lost = place(tape, 2)[1:3]
    collect(btc, np.delete(tape, lost))
    candle = read_candles(btc, Timeframe.M1, FIRST_MS, END_MS)[2]

    verify_minutes()
    assert (whole(btc).verified, whole(btc).differing) == (3, 1)
    verify_minutes()

    assert whole(btc).verified_share == 1
    mended = read_candles(btc, Timeframe.M1, FIRST_MS, END_MS)[2]
    assert mended["volume"] > candle["volume"]
    assert mended["revision"] == 1
    assert read_trades(btc, FIRST_MS, END_MS).tolist() == tape[tape["time_ms"] < END_MS].tolist()
    conflict = CandleConflict.objects.get()
    assert (conflict.state, conflict.how) == ("settled", "trades fetched again")
    revision = CandleRevision.objects.get(timeframe=1)
    assert (revision.reason, revision.volume) == ("trades fetched again", candle["volume"])


def test_a_trade_that_was_stored_otherwise_is_replaced_by_the_exchange_s(btc, tape):
    wrong = tape.copy()
    wrong["size"][place(tape, 1)[0]] += 5.0
    collect(btc, wrong)

    verify_minutes()
    verify_minutes()

    assert whole(btc).verified_share == 1
    assert read_trades(btc, FIRST_MS, END_MS).tolist() == tape[tape["time_ms"] < END_MS].tolist()


def test_a_minute_taken_for_flat_that_had_trades_is_built_from_them(btc, tape):
    quiet = np.delete(tape, place(tape, 1))
    collect(btc, quiet)
    flat = read_candles(btc, Timeframe.M1, FIRST_MS, END_MS)[:1].copy()
    flat["open_time_ms"] += MINUTE_MS
    flat["source"], flat["volume"], flat["quote_volume"] = Source.FLAT, 0, 0
    for name in ("open", "high", "low"):
        flat[name] = flat["close"]
    batch = InstrumentBatch("BTC-USDT", Emission(minutes=flat), END_MS)
    DatabaseSink(None, "okx-sim", None).commit(Batch((batch,)))

    assert verify_minutes()
    assert verify_minutes(), "a turn that is over is over at once"

    found = whole(btc)
    assert (found.verified, found.by_trades, found.flat) == (4, 4, 0)


def test_a_candle_that_is_not_what_its_trades_make_is_built_again(btc, tape):
    candles = collect(btc, tape)
    Candle.objects.filter(timeframe=1, open_time=from_ms(FIRST_MS + MINUTE_MS)).update(
        volume=F("volume") + 1, trade_count=F("trade_count") + 9
    )

    verify_minutes()
    conflict = CandleConflict.objects.get()
    assert conflict.their_volume == candles["volume"][1]
    assert conflict.our_volume == candles["volume"][1] + 1
    verify_minutes()

    assert whole(btc).verified_share == 1
    assert read_candles(btc, Timeframe.M1, FIRST_MS, END_MS)["revision"].tolist() == [0, 1, 0, 0]


def test_attempts_are_counted_and_end(btc, tape):
    collect(btc, tape)
    CandleConflict.objects.create(
        instrument=btc,
        open_time=from_ms(FIRST_MS - 2 * DAY_MS),
        kind="exchange",
        **{f"their_{name}": 1.0 for name in ("open", "high", "low", "close", "volume")},
    )

    attempts = []
    for _ in range(5):
        assert verify_minutes()
        attempts.append(CandleConflict.objects.get().attempts)
        later()

    assert attempts == [1, 2, 3, 3, 3]
    alert = Alert.objects.open().get()
    assert (alert.kind, alert.subject, alert.count) == ("candles_differ", "okx-sim:BTC-USDT", 1)
    CandleConflict.objects.update(state="kept", settled_at=timezone.now())
    verify_minutes()
    assert not Alert.objects.open().exists()


def test_minutes_of_which_the_exchange_has_no_candle_are_asked_for_less_and_less(btc):
    long_ago = FIRST_MS - 20 * 365 * DAY_MS
    candles = read_candles(btc, Timeframe.M1, 0, 0)
    row = np.zeros(1, dtype=candles.dtype)
    row["open_time_ms"], row["minutes"] = long_ago, 1
    for name in ("open", "high", "low", "close", "volume", "quote_volume"):
        row[name] = 1.0
    batch = InstrumentBatch("BTC-USDT", Emission(minutes=row), END_MS)
    DatabaseSink(None, "okx-sim", None).commit(Batch((batch,)))

    asks = []
    for _ in range(3):
        verify_minutes()
        asks.append(CandleCheck.objects.get().asks)
    later()
    verify_minutes()
    asks.append(CandleCheck.objects.get().asks)

    assert asks == [1, 1, 1, 2]


def test_only_one_worker_verifies_at_a_time(btc):
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(7106)")
        try:
            assert not verify_minutes()
        finally:
            cursor.execute("select pg_advisory_unlock(7106)")
    assert verify_minutes()
