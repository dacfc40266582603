"""Exact sums of trades by minute, still unrounded, so that parts of a minute can be joined."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.decimals import (
    Indices,
    Integers,
    Units,
    decimals_of,
    group_dot,
    group_sums,
    rescaled,
    times,
    to_float,
    to_units,
)
from marketdata.domain.records import CANDLE_DTYPE, InstrumentSpec, Source, Trades
from marketdata.domain.timeframe import MINUTE_MS


@dataclass(frozen=True, slots=True)
class MinuteSums:
    """Trades summed by minute: one row a minute, ascending; volumes in exact units."""

    open_time_ms: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: Units
    quote_volume: Units
    trade_count: NDArray[np.int64]
    first_trade_id: NDArray[np.int64]
    last_trade_id: NDArray[np.int64]

    def part(self, row: int) -> PartMinute:
        """Return one row as a value that more trades of the same minute can be joined to."""
        return PartMinute(
            open_time_ms=int(self.open_time_ms[row]),
            open=float(self.open[row]),
            high=float(self.high[row]),
            low=float(self.low[row]),
            close=float(self.close[row]),
            volume=int(self.volume.values[row]),
            volume_decimals=self.volume.decimals,
            quote_volume=int(self.quote_volume.values[row]),
            quote_decimals=self.quote_volume.decimals,
            trade_count=int(self.trade_count[row]),
            first_trade_id=int(self.first_trade_id[row]),
            last_trade_id=int(self.last_trade_id[row]),
        )


@dataclass(frozen=True, slots=True)
class PartMinute:
    """What is known of one minute so far; volumes in units of 10**-decimals."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    volume_decimals: int
    quote_volume: int
    quote_decimals: int
    trade_count: int
    first_trade_id: int
    last_trade_id: int

    def joined(self, other: PartMinute) -> PartMinute:
        """Return this part and `other`, of the same minute and of other trades, as one."""
        first = self if self.first_trade_id < other.first_trade_id else other
        last = self if self.last_trade_id > other.last_trade_id else other
        volume_decimals = max(self.volume_decimals, other.volume_decimals)
        quote_decimals = max(self.quote_decimals, other.quote_decimals)
        return PartMinute(
            open_time_ms=self.open_time_ms,
            open=first.open,
            high=max(self.high, other.high),
            low=min(self.low, other.low),
            close=last.close,
            volume=rescaled(self.volume, self.volume_decimals, volume_decimals)
            + rescaled(other.volume, other.volume_decimals, volume_decimals),
            volume_decimals=volume_decimals,
            quote_volume=rescaled(self.quote_volume, self.quote_decimals, quote_decimals)
            + rescaled(other.quote_volume, other.quote_decimals, quote_decimals),
            quote_decimals=quote_decimals,
            trade_count=self.trade_count + other.trade_count,
            first_trade_id=first.first_trade_id,
            last_trade_id=last.last_trade_id,
        )

    @property
    def base_volume(self) -> float:
        """The volume in base currency, rounded once."""
        return to_float(self.volume, self.volume_decimals)

    def candle(self, *, minutes: int = 1, closed_at_ms: int = 0) -> tuple[Any, ...]:
        """Return the fields of a CANDLE_DTYPE record; `minutes` is 0 when trades are missing."""
        return (
            self.open_time_ms,
            self.open,
            self.high,
            self.low,
            self.close,
            self.base_volume,
            to_float(self.quote_volume, self.quote_decimals),
            self.trade_count,
            self.first_trade_id,
            self.last_trade_id,
            minutes,
            int(Source.TRADES),
            closed_at_ms,
            0,
        )

    def record(self, *, minutes: int = 1, closed_at_ms: int = 0) -> np.void:
        """Return `candle` as one CANDLE_DTYPE record."""
        row: np.void = np.array(
            [self.candle(minutes=minutes, closed_at_ms=closed_at_ms)], dtype=CANDLE_DTYPE
        )[0]
        return row


def sum_minutes(trades: Trades, spec: InstrumentSpec) -> MinuteSums:
    """Sum `trades` (at least one, in order of id) by the minute of their exchange time.

    Raises InvalidRecord when a price or size is NaN or infinite.
    """
    minute = trades["time_ms"] // MINUTE_MS
    if len(minute) > 1 and bool((minute[1:] < minute[:-1]).any()):
        order = np.argsort(minute, kind="stable")
        trades, minute = trades[order], minute[order]
    starts = group_starts(minute)
    ends = np.append(starts[1:], len(trades)) - 1
    price, trade_id, count = _column(trades, "price"), trades["trade_id"], trades["count"]
    volume, quote_volume = _volumes(price, _column(trades, "size"), starts, spec)
    return MinuteSums(
        open_time_ms=minute[starts] * MINUTE_MS,
        open=price[starts],
        high=np.maximum.reduceat(price, starts),
        low=np.minimum.reduceat(price, starts),
        close=price[ends],
        volume=volume,
        quote_volume=quote_volume,
        trade_count=np.add.reduceat(count, starts, dtype=np.int64),
        first_trade_id=trade_id[starts] - count[starts] + 1,
        last_trade_id=trade_id[ends],
    )


def group_starts(keys: NDArray[Any]) -> Indices:
    """Return where each run of equal `keys` begins."""
    changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return np.concatenate((np.zeros(1, dtype=np.intp), changes))


def whole(value: Decimal) -> tuple[int, int]:
    """Return `value` as an integer of 10**-decimals, and the decimals."""
    decimals = decimals_of(value)
    return int(value.scaleb(decimals)), decimals


def _volumes(
    price: NDArray[np.float64], size: NDArray[np.float64], starts: Indices, spec: InstrumentSpec
) -> tuple[Units, Units]:
    sizes = to_units(size, decimals_of(spec.lot_size))
    prices = to_units(price, decimals_of(spec.tick_size))
    contract, contract_decimals = whole(spec.contract_value)
    base: Integers = times(group_sums(sizes.values, starts), contract)
    quote: Integers = times(group_dot(prices.values, sizes.values, starts), contract)
    base_decimals = sizes.decimals + contract_decimals
    return Units(base, base_decimals), Units(quote, base_decimals + prices.decimals)


def _column(trades: Trades, name: str) -> NDArray[np.float64]:
    return np.ascontiguousarray(trades[name])
