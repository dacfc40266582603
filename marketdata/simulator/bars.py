"""Candles in integers: minutes from matches, longer bars from minutes, rows as OKX sends them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from marketdata.simulator import decimals
from marketdata.simulator.hashing import Integers
from marketdata.simulator.instruments import Instrument
from marketdata.simulator.matches import Matches

HONG_KONG_MINUTES: Final = 8 * 60
BAR_MINUTES: Final = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1H": 60,
    "2H": 120,
    "4H": 240,
    "6H": 360,
    "12H": 720,
    "1D": 1440,
    "6Hutc": 360,
    "12Hutc": 720,
    "1Dutc": 1440,
}
"""Lengths by the exchange's names. Bars of six hours and more are cut in UTC+8 unless `utc`."""

_LOW_BITS: Final = 30
_LOW_MASK: Final = (1 << _LOW_BITS) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Candles in order: ticks, lots, and the turnover of `turnover_of` in two parts.

    The turnover of a long bar may exceed 64 bits, so sums are kept as high x 2^30 + low.
    """

    minutes: Integers
    opens: Integers
    highs: Integers
    lows: Integers
    closes: Integers
    lots: Integers
    high_turnover: Integers
    low_turnover: Integers

    def __len__(self) -> int:
        return len(self.minutes)

    def __getitem__(self, rows: slice) -> Bars:
        return Bars(*[getattr(self, name)[rows] for name in _NAMES])

    def between(self, first_minute: int, end_minute: int) -> Bars:
        first, end = np.searchsorted(self.minutes, (first_minute, end_minute))
        return self[first:end]

    @staticmethod
    def joined(runs: list[Bars]) -> Bars:
        if not runs:
            return NO_BARS
        if len(runs) == 1:
            return runs[0]
        return Bars(*(np.concatenate([getattr(run, name) for run in runs]) for name in _NAMES))

    def turnover(self, row: int) -> int:
        return (int(self.high_turnover[row]) << _LOW_BITS) + int(self.low_turnover[row])


_NAMES: Final = tuple(field.name for field in fields(Bars))
NO_BARS: Final = Bars(*(np.empty(0, np.int64) for _ in _NAMES))


def split_turnover(ticks: Integers, lots: Integers) -> tuple[Integers, Integers]:
    """Return ticks x lots, which may exceed 64 bits, in the two parts in which bars keep it."""
    low = ticks * (lots & _LOW_MASK)
    return ticks * (lots >> _LOW_BITS) + (low >> _LOW_BITS), low & _LOW_MASK


def turnover_of(instrument: Instrument, matches: Matches) -> Integers:
    """Return each match's turnover: ticks x lots, or for inverse swaps base in 10^-8."""
    if not instrument.is_inverse:
        return matches.ticks * matches.lots
    scale = instrument.contract * 10 ** (8 + instrument.price_digits - instrument.size_digits)
    base: Integers = matches.lots * scale // matches.ticks
    return base


def bars_of(
    instrument: Instrument, matches: Matches, first_minute: int, end_minute: int, before: int
) -> Bars:
    """Return the minutes of `matches`; those without trades are flat at the close before.

    `before` is the last price, in ticks, before `first_minute`.
    """
    minutes = np.arange(first_minute, end_minute, dtype=np.int64)
    if not len(matches):
        return _flat(minutes, np.full(len(minutes), before, np.int64))
    row_minute = matches.times // 60_000
    firsts = np.flatnonzero(np.concatenate(([True], row_minute[1:] != row_minute[:-1])))
    lasts = np.concatenate((firsts[1:], [len(matches)])) - 1
    traded = row_minute[firsts] - first_minute
    bars = _flat(minutes, _closes_before(matches.ticks[lasts], traded, len(minutes), before))
    turnover = turnover_of(instrument, matches)
    bars.opens[traded] = matches.ticks[firsts]
    bars.highs[traded] = np.maximum.reduceat(matches.ticks, firsts)
    bars.lows[traded] = np.minimum.reduceat(matches.ticks, firsts)
    bars.lots[traded] = np.add.reduceat(matches.lots, firsts)
    bars.high_turnover[traded] = np.add.reduceat(turnover >> _LOW_BITS, firsts)
    bars.low_turnover[traded] = np.add.reduceat(turnover & _LOW_MASK, firsts)
    return bars


def _closes_before(closes: Integers, traded: Integers, count: int, before: int) -> Integers:
    latest = np.zeros(count, np.int64)
    latest[traded] = np.arange(1, len(traded) + 1)
    known = np.concatenate((np.array([before], np.int64), closes))
    return known[np.maximum.accumulate(latest)]


def _flat(minutes: Integers, closes: Integers) -> Bars:
    zeros = [np.zeros(len(minutes), np.int64) for _ in range(3)]
    return Bars(minutes, closes.copy(), closes.copy(), closes.copy(), closes, *zeros)


def bar_open(bar: str, minute: int) -> int:
    """Return the opening minute of the bar that covers `minute`."""
    length = BAR_MINUTES[bar]
    shift = HONG_KONG_MINUTES if length >= 360 and not bar.endswith("utc") else 0
    return minute - (minute + shift) % length


def resample(bars: Bars, bar: str) -> Bars:
    """Return longer bars; the first and last may be made of fewer minutes than they cover."""
    length = BAR_MINUTES[bar]
    if length == 1 or not len(bars):
        return bars
    shift = bar_open(bar, 0)
    opened = bars.minutes - (bars.minutes - shift) % length
    firsts = np.flatnonzero(np.concatenate(([True], opened[1:] != opened[:-1])))
    lasts = np.concatenate((firsts[1:], [len(bars)])) - 1
    return Bars(
        minutes=opened[firsts],
        opens=bars.opens[firsts],
        highs=np.maximum.reduceat(bars.highs, firsts),
        lows=np.minimum.reduceat(bars.lows, firsts),
        closes=bars.closes[lasts],
        lots=np.add.reduceat(bars.lots, firsts),
        high_turnover=np.add.reduceat(bars.high_turnover, firsts),
        low_turnover=np.add.reduceat(bars.low_turnover, firsts),
    )


def volumes(instrument: Instrument, lots: int, turnover: int) -> tuple[str, str, str]:
    """Return vol, volCcy and volCcyQuote as the exchange defines them for this instrument."""
    size = instrument.size(lots)
    scale = instrument.price_digits + instrument.size_digits
    if not instrument.contract:
        quote = decimals.text(turnover, scale)
        return size, quote, quote
    if instrument.is_inverse:
        quote = decimals.text(lots * instrument.contract, instrument.size_digits)
        return size, decimals.text(turnover, 8), quote
    base = decimals.text(lots * instrument.contract, instrument.size_digits + 4)
    return size, base, decimals.text(turnover * instrument.contract, scale + 4)


def rows(instrument: Instrument, bars: Bars, confirmed_before_minute: int) -> list[list[str]]:
    """Return the exchange's rows, oldest first; bars opened earlier than the minute are closed."""
    columns = zip(
        bars.minutes.tolist(),
        bars.opens.tolist(),
        bars.highs.tolist(),
        bars.lows.tolist(),
        bars.closes.tolist(),
        bars.lots.tolist(),
        strict=True,
    )
    return [
        [
            str(minute * 60_000),
            *map(instrument.price, prices),
            *volumes(instrument, lots, bars.turnover(row)),
            "1" if minute < confirmed_before_minute else "0",
        ]
        for row, (minute, *prices, lots) in enumerate(columns)
    ]
