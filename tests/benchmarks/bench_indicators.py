"""Five indicators over a million closes: ours, TA-Lib, and plain compiled loops.

The loops are what one writes first: a running sum that adds what comes and subtracts what goes, in
one pass. They drift and lose digits, and remember no state; they are the ceiling. Ours are called
as the rest of the project calls them, with the check of times and prices and a new array for each
output; TA-Lib allocates its outputs too. The three take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import talib
from numba import njit

from tests.benchmarks.figures import Figure, percentile

CLOSES = 1_000_000
ROUNDS = 41
STEP_MS = 60_000
CHOSEN = ("sma:20", "ema:20", "rsi:14", "macd:12:26:9", "bollinger:20:2")

plain = njit(nogil=True, error_model="numpy")


def run() -> list[Figure]:
    """Return the five together and one by one, and what one candle costs a bot."""
    from marketdata.domain.indicators import parse_indicator

    candles = make_candles()
    closes = candles["close"]
    wanted = {text: parse_indicator(text) for text in CHOSEN}
    alone = [
        in_turns(
            [
                lambda pair=pair: ours([pair], candles),
                lambda text=text: TALIB[text](closes),
                lambda text=text: PLAIN[text](closes),
            ]
        )
        for text, pair in wanted.items()
    ]
    together = in_turns(
        [
            lambda: ours(list(wanted.values()), candles),
            lambda: [call(closes) for call in TALIB.values()],
            lambda: [call(closes) for call in PLAIN.values()],
        ]
    )
    rows = [figure(text, times) for text, times in zip(CHOSEN, alone, strict=True)]
    return [total(together), *rows, a_candle()]


def ours(wanted: Any, candles: dict[str, Any]) -> Any:
    from marketdata.domain.indicators import compute_all

    return compute_all(wanted, candles, step_ms=STEP_MS)


def in_turns(calls: list[Callable[[], Any]]) -> list[float]:
    """Return each call's median in ms, the calls taken in turn so that all see the same machine."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS + 2):
        for kept, call in zip(times, calls, strict=True):
            began = time.perf_counter()
            call()
            kept.append((time.perf_counter() - began) * 1000)
    return [percentile(kept[2:], 50) for kept in times]


def total(times: list[float]) -> Figure:
    own, theirs, loops = times
    note = f"TA-Lib {theirs:.1f} ms, plain loops {loops:.1f} ms"
    target = "no slower than TA-Lib"
    return Figure("five indicators over 1 M closes", own, "ms", target, own <= theirs, note)


def figure(text: str, times: list[float]) -> Figure:
    own, theirs, loops = times
    return Figure(
        f"{text} alone", own, "ms", note=f"TA-Lib {theirs:.2f} ms, plain loop {loops:.2f} ms"
    )


def a_candle() -> Figure:
    """Return what one more candle costs a bot that follows an EMA, its state going in and out."""
    from marketdata.domain.indicators import advance, begin, parse_indicator

    indicator, params = parse_indicator("ema:20")
    state, calls = begin(indicator, params), 5_000
    began = time.perf_counter()
    for number in range(calls):
        one = {"open_time_ms": np.array([number * STEP_MS]), "close": np.ones(1)}
        _, state = advance(indicator, one, params, state, step_ms=STEP_MS)
    cost_us = (time.perf_counter() - began) / calls * 1e6
    return Figure("one candle, state in and state out", cost_us, "µs", note="ema:20")


def make_candles() -> dict[str, Any]:
    """Return times and closes of a random walk."""
    steps = np.random.default_rng(7).normal(0, 6, CLOSES)
    return {"open_time_ms": STEP_MS * np.arange(CLOSES), "close": 60_000 + np.cumsum(steps)}


@plain
def plain_sma(closes, period):
    means, total = np.full(len(closes), np.nan), 0.0
    for index in range(len(closes)):
        total += closes[index]
        if index >= period:
            total -= closes[index - period]
        if index >= period - 1:
            means[index] = total / period
    return means


@plain
def plain_ema(closes, period):
    averages, weight = np.full(len(closes), np.nan), 2 / (period + 1)
    average = closes[:period].mean()
    averages[period - 1] = average
    for index in range(period, len(closes)):
        average += weight * (closes[index] - average)
        averages[index] = average
    return averages


@plain
def plain_rsi(closes, period):
    strengths, rise, fall = np.full(len(closes), np.nan), 0.0, 0.0
    for index in range(1, len(closes)):
        change = closes[index] - closes[index - 1]
        up, down = max(change, 0.0), max(-change, 0.0)
        if index <= period:
            rise, fall = rise + up / period, fall + down / period
        else:
            rise += (up - rise) / period
            fall += (down - fall) / period
        if index >= period:
            strengths[index] = 100 * rise / (rise + fall)
    return strengths


@plain
def plain_macd(closes, fast, slow, signal):
    lines, signals = np.full(len(closes), np.nan), np.full(len(closes), np.nan)
    histograms, total = np.full(len(closes), np.nan), 0.0
    quick, late, average = closes[slow - fast : slow].mean(), closes[:slow].mean(), 0.0
    for index in range(slow - 1, len(closes)):
        if index >= slow:
            quick += 2 / (fast + 1) * (closes[index] - quick)
            late += 2 / (slow + 1) * (closes[index] - late)
        line = quick - late
        if index < slow + signal - 1:
            total += line
            average = total / signal
        else:
            average += 2 / (signal + 1) * (line - average)
        if index >= slow + signal - 2:
            lines[index], signals[index], histograms[index] = line, average, line - average
    return lines, signals, histograms


@plain
def plain_bollinger(closes, period, deviations):
    middle, upper = np.full(len(closes), np.nan), np.full(len(closes), np.nan)
    lower, total, squares = np.full(len(closes), np.nan), 0.0, 0.0
    for index in range(len(closes)):
        total += closes[index]
        squares += closes[index] * closes[index]
        if index >= period:
            total -= closes[index - period]
            squares -= closes[index - period] * closes[index - period]
        if index >= period - 1:
            mean = total / period
            width = deviations * np.sqrt(max(squares / period - mean * mean, 0.0))
            middle[index], upper[index], lower[index] = mean, mean + width, mean - width
    return middle, upper, lower


TALIB: dict[str, Callable[[Any], Any]] = {
    "sma:20": lambda closes: talib.SMA(closes, 20),
    "ema:20": lambda closes: talib.EMA(closes, 20),
    "rsi:14": lambda closes: talib.RSI(closes, 14),
    "macd:12:26:9": lambda closes: talib.MACD(closes, 12, 26, 9),
    "bollinger:20:2": lambda closes: talib.BBANDS(closes, 20, 2, 2),
}
PLAIN: dict[str, Callable[[Any], Any]] = {
    "sma:20": lambda closes: plain_sma(closes, 20),
    "ema:20": lambda closes: plain_ema(closes, 20),
    "rsi:14": lambda closes: plain_rsi(closes, 14),
    "macd:12:26:9": lambda closes: plain_macd(closes, 12, 26, 9),
    "bollinger:20:2": lambda closes: plain_bollinger(closes, 20, 2.0),
}
