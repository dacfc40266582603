"""What a collector's row says follows its health, at each heartbeat and at every change."""

from __future__ import annotations

import pytest

from marketdata.collector.channels import ChannelFacts, ChannelState, channel_state
from marketdata.supervision.reporting import Reporter, overall


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def reporter(clock, settings):
    settings.COLLECTOR_HEARTBEAT_SECONDS = 5
    return Reporter(clock)


def health(*, is_live=True, exchange_ms=7_000):
    return {"is_live": is_live, "exchange_ms": exchange_ms, "last_error": ""}


def channels():
    state = {"state": "live", "feed": "public", "age_s": 0.1}
    return {"BTC-USDT": {"event_ms": 6_000, "channels": {"tickers": state}}}


def test_a_full_report_is_made_at_each_heartbeat_and_the_state_at_every_renewal(reporter, clock):
    first = reporter.report(health(), channels)
    assert (first.channels, first.health) == (channels(), "live")
    clock.now_s += 3
    between = reporter.report(health(), channels)
    assert (between.state, between.counters, between.channels) == ("live", None, None)
    clock.now_s += 2
    assert reporter.report(health(), channels).channels == channels()


def test_a_change_of_state_is_reported_in_full_at_once(reporter, clock):
    reporter.report(health(), channels)
    clock.now_s += 1
    changed = reporter.report(health(is_live=False), channels)
    assert (changed.state, changed.channels) == ("degraded", channels())


def test_going_live_is_told_once(reporter):
    told = [
        reporter.report(health(is_live=is_live), channels).is_live_now
        for is_live in (False, True, True, False, True)
    ]
    assert told == [False, True, False, False, False]


def test_silence_is_the_wall_time_since_the_exchange_s_clock_moved(reporter, clock):
    reporter.report(health(), channels)
    clock.now_s += 7
    assert reporter.report(health(), channels).counters["silence_s"] == 7.0
    clock.now_s += 7
    assert reporter.report(health(exchange_ms=7_001), channels).counters["silence_s"] == 0.0


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (ChannelFacts(is_subscribed=False), "connecting"),
        (ChannelFacts(is_subscribed=True, age_s=1, silence_s=30), "live"),
        (ChannelFacts(is_subscribed=True), "live"),
        (ChannelFacts(is_subscribed=True, age_s=30, silence_s=30), "silent"),
        (ChannelFacts(is_subscribed=True, is_repairing=True), "repairing"),
        (ChannelFacts(is_subscribed=True, verdicts=1, age_s=31, silence_s=30), "repairing"),
        (ChannelFacts(is_subscribed=False, verdicts=2), "connecting"),
        (ChannelFacts(is_subscribed=True, verdicts=3), "failed"),
        (ChannelFacts(is_subscribed=True, is_stale=True, verdicts=1), "stale"),
        (ChannelFacts(is_subscribed=False, is_refused=True), "failed"),
    ],
)
def test_a_channel_s_state_in_one_word(facts, state):
    assert channel_state(facts) == state


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([], ChannelState.CONNECTING),
        (["live", "live"], ChannelState.LIVE),
        (["live", "silent"], ChannelState.LIVE),
        (["silent"], ChannelState.SILENT),
        (["live", "repairing", "connecting"], ChannelState.REPAIRING),
        (["failed", "stale"], ChannelState.FAILED),
    ],
)
def test_a_collector_is_as_well_as_its_worst_channel_but_for_quiet_markets(states, whole):
    assert overall(states) is whole
