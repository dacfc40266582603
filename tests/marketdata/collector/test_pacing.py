"""How often things are tried, asked and complained about."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from marketdata.collector.backoff import Backoff
from marketdata.collector.clock import ExchangeClock
from marketdata.collector.complaints import Complaints
from marketdata.collector.limits import LocalLimiter

HOUR_MS = 3_600_000


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_delays_double_up_to_the_cap():
    backoff = Backoff(1.0, 5.0, uniform=lambda low, high: high)

    assert [backoff.next_delay_s() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_delays_are_spread_over_the_whole_range_but_never_nothing():
    delays = [Backoff(1.0, 5.0).next_delay_s() for _ in range(500)]

    assert 0.1 <= min(delays) < 0.2
    assert 0.9 < max(delays) <= 1.0


def test_a_success_starts_the_delays_again():
    backoff = Backoff(1.0, 5.0, uniform=lambda low, high: high)
    backoff.next_delay_s()
    backoff.next_delay_s()
    backoff.reset()

    assert backoff.next_delay_s() == 1.0


@pytest.mark.parametrize(("base_s", "cap_s"), [(0, 1), (2, 1), (-1, 1)])
def test_delays_that_make_no_sense_are_refused(base_s, cap_s):
    with pytest.raises(ValueError, match="base_s <= cap_s"):
        Backoff(base_s, cap_s)


def test_a_quarter_of_a_windows_requests_goes_at_once_and_the_rest_evenly():
    limiter = LocalLimiter({"/trades": 8}, window_s=3.0, monotonic=Time())

    assert [round(limiter.reserve("/trades"), 3) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]


@pytest.mark.parametrize(("limit", "window_s"), [(20, 2.0), (10, 2.0), (3, 1.0), (1, 5.0)])
def test_no_window_ever_holds_more_than_the_limit(limit, window_s):
    time = Time()
    limiter = LocalLimiter({"/trades": limit}, window_s, monotonic=time)
    sent = []
    for step in range(400):
        time.now_s = 100 + step * 0.05
        sent.append(time.now_s + limiter.reserve("/trades"))

    for start in sent:
        assert sum(start <= at < start + window_s - 1e-6 for at in sent) <= limit


def test_endpoints_do_not_share_a_limit_and_unknown_ones_have_none():
    limiter = LocalLimiter({"/trades": 1, "/candles": 1}, window_s=2.0, monotonic=Time())
    limiter.reserve("/trades")

    assert limiter.reserve("/trades") > 0
    assert limiter.reserve("/candles") == pytest.approx(0)
    assert [limiter.reserve("/else"), limiter.reserve("/else")] == [0, 0]


def test_threads_share_one_limit():
    limiter = LocalLimiter({"/trades": 8}, window_s=3.0, monotonic=Time())
    threads = [threading.Thread(target=limiter.reserve, args=("/trades",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert limiter.reserve("/trades") == pytest.approx(1.5)


def test_bad_input_is_always_counted_and_logged_once_a_minute_with_a_sample():
    time = Time()
    complaints = Complaints(60.0, monotonic=time)
    with capture_logs() as logs:
        for second in range(121):
            time.now_s = 100.0 + second
            complaints.add("bad values", b'{"px":"\xff"}' + b"x" * 10_000)
        complaints.add("another reason", "sample")

    assert complaints.counts() == {"bad values": 121, "another reason": 1}
    assert complaints.total == 122
    assert [log["count"] for log in logs] == [1, 60, 60, 1]
    assert logs[0]["sample"].startswith('{"px":"')
    assert len(logs[0]["sample"]) == 300


def test_the_clock_never_goes_back():
    clock = ExchangeClock()
    assert clock.now_ms == 0
    clock.advance(5 * HOUR_MS)
    clock.advance(4 * HOUR_MS)

    assert clock.now_ms == 5 * HOUR_MS


def test_one_absurd_time_does_not_carry_the_clock_away():
    clock = ExchangeClock()
    clock.advance(1_000 * HOUR_MS)

    assert not clock.advance(9_000 * HOUR_MS)
    assert clock.now_ms == 1_000 * HOUR_MS


def test_after_a_long_absence_the_exchanges_own_time_makes_its_events_believable():
    clock = ExchangeClock()
    clock.advance(1_000 * HOUR_MS)
    clock.anchor(9_000 * HOUR_MS)

    assert clock.now_ms == 1_000 * HOUR_MS, "only events move the clock"
    assert clock.advance(9_000 * HOUR_MS)
