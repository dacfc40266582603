"""Sums over a sliding window that never subtract what leaves it, so that nothing drifts.

The series is cut into blocks as long as the window. A window then is the end of one block and the
beginning of the next: its sum is a running sum over the beginning plus one over the end, made when
that block was full. That is a constant number of additions a candle, and no sum is ever longer
than the window.

Sums are of differences from an anchor, the first value of the current block, which is itself in
every window of that block: a constant series gives exactly itself and a deviation of exactly zero,
and an offset of any size costs no digits. For a window of n the relative error of a deviation stays
below n * n * 2 ** -52.

A ring holds the values of the current block and, behind them, the sums over the ends of the block
before; one more place stays 0, the sum over the end that is empty.
"""

from __future__ import annotations

import math

from marketdata.domain.compiling import compiled
from marketdata.domain.indicators.kernels.types import Floats


@compiled
def mean(values: Floats, period: int, state: Floats, means: Floats) -> None:
    """Write the mean of the last `period` values. State: seen, anchor, sum, ring."""
    seen, anchor, total = int(state[0]), state[1], state[2]
    ring, share, done = state[3:], 1.0 / period, 0
    while done < len(values):
        place = (seen + done) % period
        if place == 0:
            anchor, total = values[done], 0.0
            _sum_ends(ring, anchor, period)
        run = min(period - place, len(values) - done)
        for step in range(run):
            value = values[done + step]
            total += value - anchor
            ring[place + step] = value
            means[done + step] = anchor + (total + ring[place + step + 1]) * share
        done += run
    blank(means, period - 1 - seen)
    state[0], state[1], state[2] = seen + done, anchor, total


@compiled
def mean_and_deviation(
    values: Floats, period: int, ddof: int, state: Floats, means: Floats, deviations: Floats
) -> None:
    """Write mean and standard deviation, the squares divided by period - ddof.

    State: seen, anchor, sum, sum of squares, ring, ring of squares.
    """
    seen, anchor, total, squared = int(state[0]), state[1], state[2], state[3]
    ring, squares = state[4 : period + 5], state[period + 5 :]
    share, spread, done = 1.0 / period, 1.0 / (period - ddof), 0
    while done < len(values):
        place = (seen + done) % period
        if place == 0:
            anchor, total, squared = values[done], 0.0, 0.0
            _square_ends(ring, squares, anchor, period)
            _sum_ends(ring, anchor, period)
        run = min(period - place, len(values) - done)
        for step in range(run):
            difference = values[done + step] - anchor
            total += difference
            squared += difference * difference
            ring[place + step] = values[done + step]
            window = total + ring[place + step + 1]
            summed = squared + squares[place + step + 1] - window * window * share
            means[done + step] = anchor + window * share
            deviations[done + step] = summed * spread
        done += run
    for index in range(len(values)):
        deviations[index] = math.sqrt(max(deviations[index], 0.0))
    blank(means, period - 1 - seen)
    blank(deviations, period - 1 - seen)
    state[0], state[1], state[2], state[3] = seen + done, anchor, total, squared


@compiled
def weighted_mean(values: Floats, period: int, state: Floats, means: Floats) -> None:
    """Write the mean with weights 1 (oldest) to `period` (newest).

    State: seen, anchor, sum, weighted sum, ring. The ring's ends are sums of sums: the end of the
    block before weighs its oldest value once, the next twice, as the window does.
    """
    seen, anchor, total, weighted = int(state[0]), state[1], state[2], state[3]
    ring, share, done = state[4:], 2.0 / (period * (period + 1)), 0
    while done < len(values):
        place = (seen + done) % period
        if place == 0:
            anchor, total, weighted = values[done], 0.0, 0.0
            _sum_ends(ring, anchor, period)
            _sum_ends(ring, 0.0, period)
        run = min(period - place, len(values) - done)
        for step in range(place, place + run):
            difference = values[done + step - place] - anchor
            total += difference
            weighted += (step + 1) * difference
            ring[step] = values[done + step - place]
            window = ring[step + 1] + weighted + (period - 1 - step) * total
            means[done + step - place] = anchor + window * share
        done += run
    blank(means, period - 1 - seen)
    state[0], state[1], state[2], state[3] = seen + done, anchor, total, weighted


@compiled
def extreme(values: Floats, period: int, sign: float, state: Floats, extremes: Floats) -> None:
    """Write the highest (sign 1) or lowest (sign -1) of the last `period` values.

    State: seen, highest of the block, ring. Here the last place of the ring holds the first value
    of the block, which is in every window of it.
    """
    seen, highest, ring, done = int(state[0]), state[1], state[2:], 0
    while done < len(values):
        place = (seen + done) % period
        if place == 0:
            highest = sign * values[done]
            ring[period] = ring[period - 1]
            for back in range(period - 1, -1, -1):
                ring[back] = max(ring[back], ring[back + 1])
            ring[period] = highest
        run = min(period - place, len(values) - done)
        for step in range(run):
            value = sign * values[done + step]
            highest = max(highest, value)
            ring[place + step] = value
            extremes[done + step] = sign * max(highest, ring[place + step + 1])
        done += run
    blank(extremes, period - 1 - seen)
    state[0], state[1] = seen + done, highest


@compiled
def blank(column: Floats, count: int) -> None:
    """Put NaN into the first `count` places that there are."""
    for index in range(min(count, len(column))):
        column[index] = math.nan


@compiled
def _sum_ends(ring: Floats, anchor: float, period: int) -> None:
    total = 0.0
    for back in range(period - 1, -1, -1):
        total += ring[back] - anchor
        ring[back] = total


@compiled
def _square_ends(ring: Floats, squares: Floats, anchor: float, period: int) -> None:
    total = 0.0
    for back in range(period - 1, -1, -1):
        total += (ring[back] - anchor) * (ring[back] - anchor)
        squares[back] = total
