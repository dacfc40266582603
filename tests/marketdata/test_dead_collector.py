"""A collector that died and is not started again: its newest minutes are missing, not complete."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from marketdata import services
from marketdata.domain.records import Source
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Candle, Collector, DataGap, from_ms, to_ms
from marketdata.storage import write_candles
from marketdata.storage.clocks import due_until_ms
from marketdata.supervision.staleness import sweep_feeds
from tests.marketdata.api.conftest import START_MS, client_of, make_instrument, minutes
from tests.marketdata.processes import BEAT, WORKER, celery
from tests.patience import until
from tests.people import make_staff
from tests.simulated_exchange import spawned_exchange

STORED_MS = START_MS + 60 * MINUTE_MS


@pytest.fixture
def staff(settings, db):
    settings.EXCHANGE = "okx-sim"
    settings.OKX_REST_URL = "http://127.0.0.1:9"
    return client_of(make_staff())


def an_hour(symbol="BTC-USDT", *, is_enabled=True):
    instrument = make_instrument(symbol, is_enabled=is_enabled)
    write_candles(instrument, minutes(60), reason="test")
    return instrument


def collected(name="okx-sim", *, silent_min=0.0, heard_min=0.0, **values):
    """Make a collector whose clock is 30 s past the stored hour, and its last sign of life."""
    return Collector.objects.create(
        name=name,
        exchange="okx-sim",
        exchange_time=from_ms(STORED_MS + 30_000),
        heartbeat_at=timezone.now() - timedelta(minutes=heard_min),
        counters={"silence_s": silent_min * 60},
        **values,
    )


def told(client, symbol="BTC-USDT", **query):
    query |= {"exchange": "okx-sim", "symbol": symbol}
    answer = client.get("/api/v1/integrity/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def figures(answer):
    return answer["expected"], answer["complete"], answer["missing"], len(answer["gaps"])


@pytest.mark.parametrize(
    ("heard_min", "silent_min", "minutes"),
    [(10, 0, 8), (0, 10, 8), (7, 3, 8), (1, 1, 0)],
    ids=["dead", "hears nothing", "heard nothing, then died", "settling"],
)
def test_what_a_dead_collector_did_not_bring_is_missing(staff, heard_min, silent_min, minutes):
    an_hour()
    collected(heard_min=heard_min, silent_min=silent_min)
    answer = told(staff)
    assert figures(answer) == (60 + minutes, 60, minutes, bool(minutes))
    if minutes:
        assert answer["complete_share"] < 1
        assert answer["gaps"] == [
            {
                "kind": "candles",
                "state": "open",
                "cause": "outage",
                "reason": "nothing was collected since",
                "start": STORED_MS,
                "end": STORED_MS + minutes * MINUTE_MS,
            }
        ]
    assert figures(told(staff, start=STORED_MS - 5 * MINUTE_MS)) == (
        5 + minutes,
        5,
        minutes,
        bool(minutes),
    )


def test_the_data_page_tells_them_too(staff):
    an_hour()
    collected(heard_min=10)
    (row,) = staff.get("/data/coverage").json()["rows"]
    assert list(row["missing"].values()) == [8]
    assert row["states"].endswith("m")
    day = staff.get(f"/data/day/okx-sim/BTC-USDT/{from_ms(START_MS):%Y-%m-%d}/").content.decode()
    assert "60 of 68 minutes so far" in day
    assert "Nothing was collected since 2025-11-22 01:00" in day


def test_nothing_is_missing_of_what_nobody_wants(staff):
    an_hour()
    an_hour("ETH-USDT", is_enabled=False)
    row = collected(heard_min=10)
    assert figures(told(staff, "ETH-USDT")) == (60, 60, 0, 0)
    assert figures(told(staff))[2] == 8
    Collector.objects.filter(pk=row.pk).update(desired=Collector.Desired.STOPPED)
    assert figures(told(staff)) == (60, 60, 0, 0)


def test_another_collector_s_clock_tells_how_late_it_is(staff):
    an_hour()
    collected(heard_min=600)
    later = collected("okx-sim-2")
    later.exchange_time += timedelta(minutes=5)
    later.save()
    assert figures(told(staff)) == (63, 60, 3, 1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("queues")
def test_a_killed_collector_s_minutes_are_missing_until_it_is_back(tmp_path, settings):
    with spawned_exchange(tmp_path, "--speed", "20") as exchange:
        settings.EXCHANGE, settings.OKX_REST_URL = "okx-sim", exchange.rest
        settings.OKX_WS_URL = exchange.websocket
        staff = client_of(make_staff())
        with celery(BEAT, exchange, tmp_path, TCPD_HISTORY_DAYS="0"):
            with celery(WORKER, exchange, tmp_path, TCPD_HISTORY_DAYS="0") as worker:
                services.seed_demo("okx-sim")
                until(lambda: Candle.objects.filter(timeframe=1, source=Source.TRADES).count() >= 9)
                # As fast as a real one, so that a slow machine is not late by minutes.
                exchange.post("speed", {"speed": 1})
                until(is_whole)
                assert told(staff)["missing"] == 0
                worker.kill()
            stored_ms = told(staff)["end"]
            forget_for(timedelta(minutes=30))
            missed = told(staff)
            assert missed["end"] - stored_ms >= 27 * MINUTE_MS
            assert (missed["missing"], missed["gaps"][-1]["start"]) == (
                (missed["end"] - stored_ms) // MINUTE_MS,
                stored_ms,
            )
            assert "okx-sim:BTC-USDT" in sweep_feeds("okx-sim")
            with celery(WORKER, exchange, tmp_path, TCPD_HISTORY_DAYS="0"):
                until(lambda: Collector.objects.get().fencing_token == 2 and is_whole())
                again = told(staff)
                assert (again["missing"], again["gaps"]) == (0, [])


def is_whole():
    """Tell whether what should be stored is, without a hole."""
    newest = Candle.objects.filter(timeframe=1, instrument__symbol="BTC-USDT").latest("open_time")
    is_late = to_ms(newest.open_time) + 2 * MINUTE_MS <= due_until_ms("okx-sim")
    return not is_late and not DataGap.objects.live().exists()


def forget_for(time):
    """Let the clock of the dead collector's last sign of life be so long ago."""
    Collector.objects.update(heartbeat_at=F("heartbeat_at") - time)
