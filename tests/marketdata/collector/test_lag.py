"""The lag from an exchange's event to its commit, over the last minute."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.collector.lag import LagMeter
from marketdata.domain.records import TRADE_DTYPE

NOW_MS = 1_800_000_000_000


class Clock:
    def __init__(self):
        self.s = 1_000.0

    def __call__(self):
        return self.s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def meter(clock):
    return LagMeter(lambda: NOW_MS, clock)


def trades(*lags_ms):
    array = np.zeros(len(lags_ms), dtype=TRADE_DTYPE)
    array["time_ms"] = NOW_MS - np.array(lags_ms)
    return array


def test_without_a_trade_there_is_no_lag(meter):
    meter.add(trades())
    assert meter.figures() == {"p50_ms": None, "p99_ms": None, "trades_s": 0.0}


def test_figures_are_at_most_a_tenth_above_the_true_ones(meter):
    meter.add(trades(*range(1, 1_001)))
    figures = meter.figures()
    assert 500 <= figures["p50_ms"] <= 550
    assert 990 <= figures["p99_ms"] <= 1_089
    assert figures["trades_s"] == pytest.approx(1_000 / 60, abs=0.01)


def test_after_a_minute_a_trade_is_forgotten(meter, clock):
    meter.add(trades(5_000))
    clock.s += 30
    meter.add(trades(10))
    assert meter.figures()["p99_ms"] >= 5_000
    clock.s += 31
    assert meter.figures()["p99_ms"] <= 11
    clock.s += 60
    assert meter.figures()["p50_ms"] is None


def test_a_clock_ahead_of_ours_and_a_lag_of_days_are_no_error(meter):
    meter.add(trades(-3_000, 10**9))
    figures = meter.figures()
    assert figures["p50_ms"] == 1
    assert figures["p99_ms"] > 10_000_000
