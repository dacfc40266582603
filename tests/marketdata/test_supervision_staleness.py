"""A stale feed is told by the exchange's clock; a quiet market and a slow machine are not stale."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from marketdata.models import Collector, Instrument
from marketdata.supervision.staleness import FeedAge, sweep_feeds, watched_s
from tcpdashboard.common.models import Alert
from tests.marketdata.api.conftest import make_instrument

NOW_MS = 1_767_614_400_000


@pytest.fixture
def collector(db, settings):
    settings.FEED_STALE_SECONDS, settings.FEED_SILENT_SECONDS = 120, 60
    row = Collector.objects.create(
        name="okx-sim", exchange="okx-sim", heartbeat_at=timezone.now(), state="live"
    )
    for symbol in ("BTC-USDT", "ETH-USDT"):
        make_instrument(symbol, is_enabled=True, collector=row)
    report(row)
    return row


def report(row, *, btc_age_s=1, eth_age_s=1, silence_s=0.0):
    """Let the collector report instruments whose newest events are so old, in exchange time."""
    ages = {"BTC-USDT": btc_age_s, "ETH-USDT": eth_age_s}
    Collector.objects.filter(pk=row.pk).update(
        heartbeat_at=timezone.now(),
        counters={"exchange_ms": NOW_MS, "silence_s": silence_s},
        channels={
            symbol: {"event_ms": NOW_MS - age * 1000, "channels": {}}
            for symbol, age in ages.items()
        },
    )


def open_alerts():
    return sorted(Alert.objects.open().values_list("kind", "subject"))


@pytest.mark.parametrize(
    ("event_age_s", "silence_s", "told"),
    [
        (0, 0, ""),
        (120, 60, ""),
        (121, 0, "the exchange's clock went on for 121 s without it"),
        (0, 61, "its collector has received nothing for 61 s"),
        (500, 61, "its collector has received nothing for 61 s"),
    ],
)
def test_age_is_the_exchange_s_time_and_silence_this_machine_s(event_age_s, silence_s, told):
    assert FeedAge(event_age_s, silence_s).why_stale(120, 60) == told


def test_a_feed_left_behind_by_the_exchange_s_clock_is_told_until_it_is_live_again(collector):
    report(collector, eth_age_s=130)
    assert sweep_feeds("okx-sim") == ["okx-sim:ETH-USDT"]
    sweep_feeds("okx-sim")
    [alert] = Alert.objects.open()
    assert (alert.kind, alert.subject, alert.count) == ("feed_stale", "okx-sim:ETH-USDT", 1)
    assert "went on for 130 s without it" in alert.message
    report(collector, eth_age_s=3)
    assert sweep_feeds("okx-sim") == []
    assert open_alerts() == []


def test_an_exchange_that_says_nothing_makes_every_feed_stale(collector):
    report(collector, silence_s=61)
    assert sweep_feeds("okx-sim") == ["okx-sim:BTC-USDT", "okx-sim:ETH-USDT"]


def test_a_collector_without_a_sign_of_life_makes_its_feeds_stale(collector):
    Collector.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=61), lease_owner="")
    assert sweep_feeds("okx-sim") == ["okx-sim:BTC-USDT", "okx-sim:ETH-USDT"]


@pytest.fixture
def _unwatched():
    cache.clear()


@pytest.mark.usefixtures("_unwatched")
def test_a_process_that_dies_again_and_again_holds_no_alert_back(collector):
    Collector.objects.update(heartbeat_at=timezone.now() - timedelta(days=1), lease_owner="")
    # Each of these may be another process: none of them lives for a minute.
    for second in range(0, 60, 10):
        sweep_feeds("okx-sim", watched_s(NOW_MS / 1000 + second))
        assert open_alerts() == []
    sweep_feeds("okx-sim", watched_s(NOW_MS / 1000 + 60))
    assert len(open_alerts()) == 2


@pytest.mark.usefixtures("_unwatched")
@pytest.mark.parametrize(("away_s", "expected_s"), [(29, 129), (30, 130), (31, 0), (-5, 0)])
def test_the_watch_begins_anew_where_nobody_watched_for_long(settings, away_s, expected_s):
    settings.FEED_SILENT_SECONDS = 60
    for second in range(0, 101, 20):
        assert watched_s(1000.0 + second) == second
    assert watched_s(1100.0 + away_s) == expected_s


def test_what_stood_still_with_all_the_rest_is_told_once_it_had_its_time_to_start(collector):
    Collector.objects.update(heartbeat_at=timezone.now() - timedelta(days=1), lease_owner="")
    sweep_feeds("okx-sim", watched_s=59)
    assert open_alerts() == []
    sweep_feeds("okx-sim", watched_s=60)
    assert len(open_alerts()) == 2
    sweep_feeds("okx-sim", watched_s=1)
    assert len(open_alerts()) == 2, "one that was told stays until it is over"
    report(collector)
    sweep_feeds("okx-sim", watched_s=1)
    assert open_alerts() == []


def test_a_failover_of_some_seconds_is_not_told(collector):
    Collector.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=15))
    assert sweep_feeds("okx-sim") == []


def test_nothing_is_expected_of_what_is_disabled_suspended_or_stopped(collector):
    report(collector, btc_age_s=500, eth_age_s=500)
    sweep_feeds("okx-sim")
    Instrument.objects.filter(symbol="BTC-USDT").update(is_enabled=False)
    Instrument.objects.filter(symbol="ETH-USDT").update(state="suspend")
    assert sweep_feeds("okx-sim") == []
    assert open_alerts() == []
    Instrument.objects.update(is_enabled=True, state="live")
    assert len(sweep_feeds("okx-sim")) == 2
    Collector.objects.update(desired="stopped")
    assert sweep_feeds("okx-sim") == []


def test_an_instrument_that_was_not_reported_yet_is_not_judged(collector):
    make_instrument("SOL-USDT", is_enabled=True, collector=collector)
    assert sweep_feeds("okx-sim") == []


def test_the_alerts_of_other_exchanges_are_left_alone(collector):
    Alert.objects.create(kind="feed_stale", subject="okx:BTC-USDT", message="elsewhere")
    sweep_feeds("okx-sim")
    assert open_alerts() == [("feed_stale", "okx:BTC-USDT")]
