"""Any stretch of history is loaded whole, in pieces that survive everything, and only once."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from marketdata.backfills import BackfillRequest, InvalidBackfill, check_backfill, request_backfill
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.loading import backfill, past_trades
from marketdata.loading.listing import sync_instruments
from marketdata.loading.plans import BackfillPlan, Order
from marketdata.models import (
    Candle,
    CandleRevision,
    Collector,
    DataGap,
    Instrument,
    Opening,
    Trade,
    from_ms,
)
from marketdata.storage import DatabaseSink, range_fingerprint, read_candles, read_trades
from marketdata.storage.tapes import scan_tape
from tcpdashboard.common.jobs.orders import cancel_job, pause_job, resume_job
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.patience import PATIENCE_S, Patience, steadily
from tests.simulated_exchange import spawned_exchange

pytestmark = pytest.mark.django_db(transaction=True)

DAY = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""Four days before the simulated exchange's time, 2026-01-05T12:00."""

NEVER = threading.Event()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with spawned_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture(autouse=True)
def btc(exchange, settings):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = exchange.rest
    settings.OKX_LIMITS = False
    settings.JOB_RENEW_SECONDS = 0.05
    sync_instruments("okx-sim")
    now = from_ms(DAY + 4 * DAY_MS + DAY_MS // 2)
    Collector.objects.create(name="okx-sim", exchange="okx-sim", exchange_time=now)
    return Instrument.objects.named("okx-sim", "BTC-USDT")


def test_a_backfill_stores_the_exchange_s_own_candles_and_says_so(btc):
    job = ask(DAY, DAY + 2 * DAY_MS)
    assert run_job(job.pk, NEVER) == "done"
    stored = minutes_of(btc)
    assert stored["open_time_ms"].tolist() == list(range(DAY, DAY + 2 * DAY_MS, MINUTE_MS))
    assert set(stored["source"]) == {Source.EXCHANGE}
    job.refresh_from_db()
    assert (job.done, job.total, job.unit) == (2880, 2880, "minutes")
    assert job.result["inserted"] == 2880
    assert (job.result["missing"], job.result["missing_ranges"]) == (0, [])
    assert len(read_candles(btc, Timeframe.D1, 0, DAY + 9 * DAY_MS)) == 2


def test_a_backfill_asks_only_for_what_is_missing(btc, monkeypatch):
    run_job(ask(DAY, DAY + DAY_MS).pk, NEVER)
    hole = from_ms(DAY + 600 * MINUTE_MS), from_ms(DAY + 609 * MINUTE_MS)
    Candle.objects.filter(instrument=btc, timeframe=1, open_time__range=hole).delete()
    job = ask(DAY, DAY + DAY_MS)
    assert run_job(job.pk, NEVER) == "done"
    job.refresh_from_db()
    assert (job.result["inserted"], job.result["changed"]) == (10, 0)
    assert len(minutes_of(btc)) == 1440
    again = ask(DAY, DAY + DAY_MS)
    monkeypatch.setattr(backfill, "candles_back", None)
    assert run_job(again.pk, NEVER) == "done"


@pytest.mark.parametrize("order", Order)
def test_the_order_is_the_one_asked_for(btc, order):
    job = ask(DAY, DAY + 3 * DAY_MS, order=order)
    seen = []
    original = Job.objects.get(pk=job.pk).checkpoint
    assert original == {}
    plan = BackfillPlan.of(job.parameters)
    seen = [start for start, _ in plan.candle_chunks()]
    days = [DAY, DAY + DAY_MS, DAY + 2 * DAY_MS]
    assert seen == (days if order is Order.OLDEST else days[::-1])
    assert run_job(job.pk, NEVER) == "done"
    assert len(minutes_of(btc)) == 3 * 1440


@pytest.mark.slow
def test_with_trades_candles_are_built_from_them_to_the_last_digit(btc):
    start = DAY + 3 * DAY_MS
    end = start + 90 * MINUTE_MS
    run_job(ask(start, end).pk, NEVER)
    theirs = minutes_of(btc)
    job = ask(start, end, trades=True)
    assert run_job(job.pk, NEVER) == "done"
    ours = minutes_of(btc)
    traded = theirs["volume"] > 0
    assert traded.sum() > 60
    assert set(ours["source"][traded]) == {Source.TRADES}
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(ours[name], theirs[name])
    trades = read_trades(btc, start, end)
    assert set(np.diff(trades["trade_id"])) == {1}
    job.refresh_from_db()
    assert job.result["from_trades"] == traded.sum()
    assert job.done == job.total == 180
    # What could be known then is not known now.
    assert not Opening.objects.exists()
    again = ask(start, end, trades=True)
    assert run_job(again.pk, NEVER) == "done"
    again.refresh_from_db()
    assert again.result["trades"] == 0


@pytest.mark.slow
def test_trades_go_on_in_the_middle_of_a_chunk(btc, monkeypatch):
    start = DAY + 3 * DAY_MS - 30 * MINUTE_MS
    monkeypatch.setattr(past_trades, "TRADES_AT_ONCE", 150)
    job = ask(start, start + 60 * MINUTE_MS, trades=True)
    with stopped_when(job, lambda row: row.checkpoint.get("trades", 0) > 200):
        assert run_job(job.pk, NEVER) == "paused"
    job.refresh_from_db()
    assert job.checkpoint["trades"] > 0
    half = Trade.objects.count()
    resume_job(job)
    assert run_job(job.pk, NEVER) == "done"
    trades = read_trades(btc, start, start + 60 * MINUTE_MS)
    assert len(trades) > half / 2
    assert set(np.diff(trades["trade_id"])) == {1}
    traded = minutes_of(btc)
    assert set(traded["source"][traded["volume"] > 0]) == {Source.TRADES}


def test_trades_between_two_stretches_that_were_asked_for_are_not_taken_for_lost(btc):
    for start in (DAY + 3 * DAY_MS, DAY + 2 * DAY_MS, DAY + 4 * DAY_MS):
        assert run_job(ask(start, start + 10 * MINUTE_MS, trades=True).pk, NEVER) == "done"
    gaps = DataGap.objects.order_by("first_trade_id")
    assert [(gap.cause, gap.state, gap.filled_with) for gap in gaps] == [
        ("never_collected", "repaired", "candles")
    ] * 2
    scan_tape(btc, [])
    assert not DataGap.objects.live().exists()
    # A hole inside a stretch is one.
    middle = DAY + 3 * DAY_MS + 5 * MINUTE_MS
    lost = Trade.objects.filter(executed_at__range=(from_ms(middle), from_ms(middle + 20_000)))
    assert lost.delete()[0] > 3
    scan_tape(btc, [(DAY, DAY + 5 * DAY_MS)])
    assert DataGap.objects.live().get().cause == "loss"


def test_trades_of_a_collected_instrument_are_loaded_up_to_where_its_collector_stopped(btc):
    start = DAY + 3 * DAY_MS
    collected = start + 10 * MINUTE_MS, start + 15 * MINUTE_MS
    assert run_job(ask(*collected, trades=True).pk, NEVER) == "done"
    Trade.objects.filter(executed_at__gte=from_ms(collected[1])).delete()
    Instrument.objects.filter(pk=btc.pk).update(is_enabled=True)
    tape = read_trades(btc, *collected)
    job = ask(start, start + 40 * MINUTE_MS, trades=True)
    assert run_job(job.pk, NEVER) == "done"
    stored = read_trades(btc, DAY, DAY + 4 * DAY_MS)
    assert stored["trade_id"][-1] == tape["trade_id"][-1]
    assert stored["time_ms"][0] < start + MINUTE_MS
    assert set(np.diff(stored["trade_id"])) == {1}
    assert not DataGap.objects.exists()
    resume = DatabaseSink(None, "okx-sim", None).resume("BTC-USDT")
    assert resume.last_trade_id == tape["trade_id"][-1]
    assert (resume.last_closed_open_ms, resume.given_up) == (collected[1] - MINUTE_MS, ())


@pytest.mark.slow
def test_where_the_exchange_keeps_no_trades_any_more_its_candles_stay(btc):
    kept_since = DAY + 4 * DAY_MS + DAY_MS // 2 - 90 * DAY_MS
    # As if a request was made a day ago and has waited since.
    Collector.objects.update(exchange_time=from_ms(DAY + 3 * DAY_MS))
    job = ask(kept_since - 20 * MINUTE_MS, kept_since + 20 * MINUTE_MS, trades=True)
    assert run_job(job.pk, NEVER) == "done"
    job.refresh_from_db()
    since = job.result["no_trades_before_ms"]
    assert kept_since < since < kept_since + 5 * MINUTE_MS
    stored = minutes_of(btc)
    assert len(stored) == 40
    from_trades = stored["source"] == Source.TRADES
    assert from_trades.sum() > 10
    assert not from_trades[stored["open_time_ms"] < since].any()


@pytest.mark.slow
def test_a_paused_and_resumed_backfill_ends_as_an_undisturbed_one(btc):
    window = DAY - 16 * DAY_MS, DAY + 4 * DAY_MS
    run_job(ask(*window).pk, NEVER)
    expected = fingerprints(btc)
    Candle.objects.all().delete()
    job = ask(*window)
    for days in (1, 8):
        with stopped_when(job, lambda row, days=days: row.done >= days * 1440):
            assert run_job(job.pk, NEVER) == "paused"
        resume_job(job)
    assert run_job(job.pk, NEVER) == "done"
    assert fingerprints(btc) == expected
    assert not CandleRevision.objects.exists()


def test_a_cancelled_backfill_keeps_what_it_stored(btc):
    job = ask(DAY - 16 * DAY_MS, DAY + 4 * DAY_MS)
    with stopped_when(job, lambda row: row.done >= 1440, order=cancel_job):
        assert run_job(job.pk, NEVER) == "cancelled"
    assert 1440 <= len(minutes_of(btc)) < 20 * 1440


def test_stopping_does_not_wait_for_an_exchange_that_is_away(settings):
    settings.OKX_REST_URL = "http://127.0.0.1:9"

    def is_stopped():
        job = ask(DAY, DAY + DAY_MS)
        started = time.monotonic()
        with stopped_when(job, lambda row: row.state == "running", order=cancel_job):
            assert run_job(job.pk, NEVER) == "cancelled"
        assert time.monotonic() - started < 5

    steadily(is_stopped, 1.0)


def test_minutes_the_exchange_does_not_have_are_counted_and_named(btc, monkeypatch):
    hole = DAY + 100 * MINUTE_MS, DAY + 103 * MINUTE_MS
    original = backfill.candles_back

    async def with_a_hole(*given, **named):
        async for page in original(*given, **named):
            inside = (page["open_time_ms"] >= hole[0]) & (page["open_time_ms"] < hole[1])
            yield page[~inside]

    monkeypatch.setattr(backfill, "candles_back", with_a_hole)
    job = ask(DAY, DAY + DAY_MS)
    assert run_job(job.pk, NEVER) == "done"
    job.refresh_from_db()
    assert job.result["missing"] == 3
    assert job.result["missing_ranges"] == [list(hole)]


def test_the_newest_minutes_are_left_to_the_collector(btc):
    job = ask(DAY + 4 * DAY_MS, DAY + 5 * DAY_MS)
    assert run_job(job.pk, NEVER) == "done"
    noon = DAY + 4 * DAY_MS + DAY_MS // 2
    newest = int(minutes_of(btc)["open_time_ms"][-1])
    # The exchange's clock began at noon, and some seconds have passed.
    assert noon - 3 * MINUTE_MS <= newest <= noon + 2 * MINUTE_MS
    job.refresh_from_db()
    assert (job.result["missing"], job.done) == (0, 1440)


def test_only_the_job_s_own_worker_can_store(btc):
    job = ask(DAY - 16 * DAY_MS, DAY + 4 * DAY_MS)
    with stopped_when(job, lambda row: row.done >= 1440, order=steal):
        assert run_job(job.pk, NEVER) is None
    stored = len(minutes_of(btc))
    job.refresh_from_db()
    assert stored == job.done
    assert job.fencing_token == 99


def test_a_request_becomes_a_job_of_its_owner(btc):
    ann = get_user_model().objects.create_user("ann")
    request = BackfillRequest("okx-sim", "BTC-USDT", DAY + 30_000, DAY + DAY_MS + 59_000)
    job = request_backfill(request, owner=ann)
    assert (job.kind, job.owner, job.total) == ("backfill", ann, 1440)
    assert job.title == "candles of okx-sim:BTC-USDT, 2026-01-01 00:00 to 2026-01-02 00:00"


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"exchange": "kraken"}, "exchange", "expected one of the exchanges"),
        ({"exchange": "okx"}, "exchange", "okx is the real exchange"),
        ({"symbol": "NO-SUCH"}, "symbol", "no instrument 'NO-SUCH'"),
        ({"end_ms": DAY}, "end", "at least one minute after start"),
        ({"end_ms": DAY + 4000 * DAY_MS}, "end", "is in the future: it is 20"),
        ({"start_ms": 0}, "start", "was listed on 20"),
        (
            {"start_ms": DAY - 400 * DAY_MS, "trades": True},
            "start",
            "keeps trades since 20.* load candles without trades",
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_field(changes, field, reason):
    values = {"exchange": "okx-sim", "symbol": "BTC-USDT", "start_ms": DAY, "end_ms": DAY + DAY_MS}
    with pytest.raises(InvalidBackfill, match=reason) as refused:
        check_backfill(BackfillRequest(**{**values, **changes}))
    assert list(refused.value.errors) == [field]
    assert not Job.objects.exists()


def test_trades_are_loaded_as_far_back_as_the_exchange_is_said_to_keep_them(btc, settings):
    asked = BackfillRequest("okx-sim", "BTC-USDT", DAY - 60 * DAY_MS, DAY, trades=True)
    assert check_backfill(asked).trades
    settings.TRADES_KEPT_DAYS = 30
    with pytest.raises(InvalidBackfill, match="keeps trades since"):
        check_backfill(asked)


def test_a_range_is_loaded_by_one_job_at_a_time(btc):
    job = ask(DAY, DAY + 2 * DAY_MS)
    with pytest.raises(InvalidBackfill, match=f"job {job.pk} .queued. is loading"):
        ask(DAY + DAY_MS, DAY + 3 * DAY_MS)
    ask(DAY + 2 * DAY_MS, DAY + 3 * DAY_MS)
    cancel_job(job)
    ask(DAY + DAY_MS, DAY + 2 * DAY_MS)


def test_the_exchange_s_time_decides_what_is_in_the_future(btc):
    ahead = from_ms(DAY + 9000 * DAY_MS)
    Collector.objects.create(name="ahead", exchange="okx-sim", exchange_time=ahead)
    end_ms = DAY + 8999 * DAY_MS
    plan = check_backfill(BackfillRequest("okx-sim", "BTC-USDT", end_ms - DAY_MS, end_ms))
    assert plan.minutes == 1440


def ask(start_ms, end_ms, **options):
    return request_backfill(BackfillRequest("okx-sim", "BTC-USDT", start_ms, end_ms, **options))


def minutes_of(instrument):
    return read_candles(instrument, Timeframe.M1, 0, 4_000_000_000_000)


def fingerprints(instrument):
    window = DAY - 16 * DAY_MS, DAY + 4 * DAY_MS
    return [range_fingerprint(instrument, one, *window) for one in Timeframe]


def steal(job):
    """Take the job over as another worker would."""
    Job.objects.filter(pk=job.pk).update(fencing_token=99, lease_owner="another")


class stopped_when:
    """Gives a job an order, from a thread, as soon as its row satisfies a condition."""

    def __init__(self, job, condition, order=pause_job):
        self._job, self._condition, self._order = job, condition, order
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        patience = Patience()
        while not patience.is_over():
            row = Job.objects.get(pk=self._job.pk)
            if self._condition(row):
                self._order(row)
                break
            time.sleep(0.005)
        connections.close_all()

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_error):
        self._thread.join(PATIENCE_S)
