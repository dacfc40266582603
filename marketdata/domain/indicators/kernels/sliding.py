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
before; one more place stays 0, the sum over the end that is empty. Where a whole block and the
value behind it are there, the sums over its beginnings and over its ends are made in one pass: a
processor adds to both at once, where it would wait for each.
"""

from __future__ import annotations

import math

import numpy as np

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
            done = _whole_blocks(values, done, period, ring, means)
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
def _whole_blocks(values: Floats, done: int, period: int, ring: Floats, means: Floats) -> int:
    """Write the means of the blocks that begin at `done` and have a value behind them.

    Returns where the next block begins; the ring then holds the values of the one before it.
    """
    if done + period >= len(values):
        return done
    ends, share, flip = np.zeros((2, period + 1)), 1.0 / period, 0
    _sum_ends(ring, values[done], period)
    ends[0] = ring
    while done + period < len(values):
        anchor, following = values[done], values[done + period]
        block, written = values[done : done + period], means[done : done + period]
        before, after = ends[flip, 1:], ends[1 - flip]
        total = tail = 0.0
        for step in range(period):
            back = period - 1 - step
            total += block[step] - anchor
            tail += block[back] - following
            after[back] = tail
            written[step] = anchor + (total + before[step]) * share
        flip = 1 - flip
        done += period
    ring[:period] = values[done - period : done]
    return done


@compiled
def mean_and_variance(
    values: Floats, period: int, ddof: int, state: Floats, means: Floats, variances: Floats
) -> None:
    """Write mean and variance, the squares divided by period - ddof.

    State: seen, anchor, sum, sum of squares, ring, ring of squares. A variance may be below zero by
    rounding; while warming up it is any number, and the mean NaN.
    """
    seen, anchor, total, squared = int(state[0]), state[1], state[2], state[3]
    ring, squares = state[4 : period + 5], state[period + 5 :]
    share, spread, done = 1.0 / period, 1.0 / (period - ddof), 0
    while done < len(values):
        place = (seen + done) % period
        if place == 0:
            done = _whole_spreads(values, done, period, spread, ring, squares, means, variances)
            anchor, total, squared = values[done], 0.0, 0.0
            _sum_both_ends(ring, squares, anchor, period)
        run = min(period - place, len(values) - done)
        for step in range(run):
            difference = values[done + step] - anchor
            total += difference
            squared += difference * difference
            ring[place + step] = values[done + step]
            window = total + ring[place + step + 1]
            summed = squared + squares[place + step + 1] - window * window * share
            means[done + step] = anchor + window * share
            variances[done + step] = summed * spread
        done += run
    blank(means, period - 1 - seen)
    state[0], state[1], state[2], state[3] = seen + done, anchor, total, squared


@compiled
def _whole_spreads(
    values: Floats,
    done: int,
    period: int,
    spread: float,
    ring: Floats,
    squares: Floats,
    means: Floats,
    variances: Floats,
) -> int:
    """Do what `_whole_blocks` does for mean and variance."""
    if done + period >= len(values):
        return done
    ends, others = np.zeros((2, period + 1)), np.zeros((2, period + 1))
    share, flip = 1.0 / period, 0
    _sum_both_ends(ring, squares, values[done], period)
    ends[0], others[0] = ring, squares
    while done + period < len(values):
        anchor, following = values[done], values[done + period]
        block, written = values[done : done + period], means[done : done + period]
        spreads = variances[done : done + period]
        before, after = ends[flip, 1:], ends[1 - flip]
        squares_before, squares_after = others[flip, 1:], others[1 - flip]
        total = tail = squared = tail_squared = 0.0
        for step in range(period):
            back = period - 1 - step
            difference, behind = block[step] - anchor, block[back] - following
            total += difference
            squared += difference * difference
            tail += behind
            tail_squared += behind * behind
            after[back], squares_after[back] = tail, tail_squared
            window = total + before[step]
            summed = squared + squares_before[step] - window * window * share
            written[step] = anchor + window * share
            spreads[step] = summed * spread
        flip = 1 - flip
        done += period
    ring[:period] = values[done - period : done]
    return done


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
def _sum_both_ends(ring: Floats, squares: Floats, anchor: float, period: int) -> None:
    total = squared = 0.0
    for back in range(period - 1, -1, -1):
        difference = ring[back] - anchor
        total += difference
        squared += difference * difference
        ring[back], squares[back] = total, squared
