"""What three strategies want after each candle, written out plainly from closes alone."""

from __future__ import annotations

from itertools import pairwise

Targets = list[bool | None]

SAME = 1e-12
"""Values nearer than this share of the price are equal: what differs is rounding."""


def ema(values: list[float], period: int) -> list[float | None]:
    """Return the average seeded by the mean of the first `period` values."""
    averages: list[float | None] = [None] * (period - 1)
    average = sum(values[:period]) / period
    averages.append(average)
    for value in values[period:]:
        average = average + 2 / (period + 1) * (value - average)
        averages.append(average)
    return averages


def ema_crossover(closes: list[float], fast: int = 12, slow: int = 26) -> Targets:
    pairs = zip(ema(closes, fast), ema(closes, slow), closes, strict=True)
    return [sided(quick, late, close) for quick, late, close in pairs]


def macd(closes: list[float], fast: int = 12, slow: int = 26, signal: int = 9) -> Targets:
    """Return the targets; both averages begin to count where the slow one begins."""
    quick = ema(closes[slow - fast :], fast)
    late = ema(closes, slow)[slow - fast :]
    lines = [a - b for a, b in zip(quick, late, strict=True) if a is not None and b is not None]
    signals = ema(lines, signal)
    shown = closes[len(closes) - len(lines) :]
    told = [sided(a, b, close) for a, b, close in zip(lines, signals, shown, strict=True)]
    return [None] * (len(closes) - len(told)) + told


def rsi(
    closes: list[float], period: int = 14, oversold: float = 30.0, overbought: float = 70.0
) -> Targets:
    changes = [after - before for before, after in pairwise(closes)]
    rise = sum(max(change, 0.0) for change in changes[:period]) / period
    fall = sum(max(-change, 0.0) for change in changes[:period]) / period
    targets: Targets = [None] * period
    for index, change in enumerate(changes[period - 1 :]):
        if index:
            rise += (max(change, 0.0) - rise) / period
            fall += (max(-change, 0.0) - fall) / period
        strength = 100 * rise / (rise + fall) if rise + fall else 50.0
        moved = change != 0
        targets.append(
            True
            if moved and strength < oversold
            else False
            if moved and strength > overbought
            else None
        )
    return targets


def sided(left: float | None, right: float | None, price: float) -> bool | None:
    """Return whether `left` is above `right`; None where it is neither above nor below."""
    if left is None or right is None or abs(left - right) <= SAME * price:
        return None
    return left > right


PLAIN = {"ema_crossover": ema_crossover, "macd": macd, "rsi": rsi}
