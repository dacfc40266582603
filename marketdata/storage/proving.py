"""The minutes around a hole that was given up, judged by the ids of the stored trades.

A minute that closed before the hole appeared was taken for whole: it is not when ids are missing
in it. Once the hole is repaired after all, the minutes that were left out or incomplete are whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.aggregation import aggregate_minutes, flat_minutes
from marketdata.domain.records import (
    TRADE_DTYPE,
    Candles,
    Opening,
    Source,
    Trades,
    empty_candles,
)
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.storage.candles import select_candles
from marketdata.storage.overlaps import first_ids
from marketdata.storage.trades import select_trades

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Ids rise with time but for a few milliseconds: what lies right beside the minutes is read too.
_MARGIN_MS: Final = MINUTE_MS

_NEIGHBOURS: Final = """
select trade_id, (extract(epoch from executed_at) * 1000)::bigint, price, size, side, count
from (
    (select * from marketdata_trade where instrument_id = %(instrument)s
        and executed_at < %(start)s order by executed_at desc, trade_id desc limit 1)
    union all
    (select * from marketdata_trade where instrument_id = %(instrument)s
        and executed_at >= %(end)s order by executed_at, trade_id limit 1)
) as neighbour
"""


class Span(NamedTuple):
    """The times of the trades on both sides of a hole."""

    after_ms: int
    before_ms: int


def judged_minutes(
    cursor: CursorWrapper, instrument: Instrument, span: Span, now_ms: int
) -> Candles:
    """Return the 1m candles around a hole that must be stored otherwise than they are.

    Those built here count as closed at `now_ms`. Candles of the exchange and imported ones were
    not made of these trades and stay.
    """
    start_ms = Timeframe.M1.open_time(span.after_ms)
    end_ms = Timeframe.M1.open_time(span.before_ms) + MINUTE_MS
    trades = trades_around(cursor, instrument.pk, start_ms, end_ms)
    stored = select_candles(cursor, instrument.pk, Timeframe.M1, start_ms, end_ms)
    if not len(trades):
        return stored[:0]
    opens = np.arange(start_ms, end_ms, MINUTE_MS)
    is_lacking = lacking(trades, opens)
    place = (stored["open_time_ms"] - start_ms) // MINUTE_MS
    ours = (stored["source"] == Source.TRADES) | (stored["source"] == Source.FLAT)
    doubted = stored[ours & (stored["minutes"] > 0) & is_lacking[place]]
    doubted["minutes"] = 0
    is_wanted = ~is_lacking & (opens > trades["time_ms"].min())
    is_wanted &= opens + MINUTE_MS <= trades["time_ms"].max()
    is_wanted[place[~ours | (stored["minutes"] > 0)]] = False
    candles = np.concatenate([doubted, *_built(instrument, trades, opens[is_wanted], now_ms)])
    judged: Candles = candles[np.argsort(candles["open_time_ms"])]
    return judged


def whole_minutes(
    cursor: CursorWrapper, instrument: Instrument, start_ms: int, end_ms: int, now_ms: int
) -> tuple[Candles, tuple[Opening, ...]]:
    """Return the 1m candles in [start_ms, end_ms) of which no trade is missing, and their openings.

    Both bounds are whole minutes. Built from the stored trades; those without a trade are flat.
    They count as closed at `now_ms`.
    """
    trades = trades_around(cursor, instrument.pk, start_ms, end_ms)
    if not len(trades) or end_ms <= start_ms:
        return empty_candles(), ()
    opens = np.arange(start_ms, end_ms, MINUTE_MS)
    is_whole = ~lacking(trades, opens) & (opens > trades["time_ms"].min())
    is_whole &= opens + MINUTE_MS <= trades["time_ms"].max()
    candles = np.concatenate(_built(instrument, trades, opens[is_whole], now_ms))
    whole: Candles = candles[np.argsort(candles["open_time_ms"])]
    return whole, _openings(trades, whole)


def _openings(trades: Trades, minutes: Candles) -> tuple[Opening, ...]:
    traded = minutes[minutes["source"] == Source.TRADES]
    first = trades[np.searchsorted(trades["trade_id"], traded["first_trade_id"])]
    return tuple(
        Opening(int(minute["open_time_ms"]), float(minute["open"]), *map(int, trade))
        for minute, trade in zip(traded, first[["trade_id", "time_ms"]].tolist(), strict=True)
    )


def trades_around(cursor: CursorWrapper, instrument_id: int, start_ms: int, end_ms: int) -> Trades:
    """Return the trades of [start_ms, end_ms) and at least one on each side, in order of id."""
    start_ms, end_ms = start_ms - _MARGIN_MS, end_ms + _MARGIN_MS
    trades = select_trades(cursor, instrument_id, start_ms, end_ms)
    cursor.execute(
        _NEIGHBOURS,
        {"instrument": instrument_id, "start": from_ms(start_ms), "end": from_ms(end_ms)},
    )
    neighbours = np.array(cursor.fetchall(), dtype=TRADE_DTYPE)
    trades = np.concatenate([trades, neighbours])
    ordered: Trades = trades[np.argsort(trades["trade_id"])]
    return ordered


def lacking(trades: Trades, opens: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the minutes may hold trades whose ids are missing between `trades`."""
    time_ms = trades["time_ms"]
    is_break = first_ids(trades)[1:] != trades["trade_id"][:-1] + 1
    after = np.minimum(time_ms[:-1], time_ms[1:])[is_break]
    before = np.maximum(time_ms[:-1], time_ms[1:])[is_break]
    edges = np.zeros(len(opens) + 1, dtype=np.int64)
    np.add.at(edges, np.clip((after - opens[0]) // MINUTE_MS, 0, len(opens)), 1)
    np.add.at(edges, np.clip((before - opens[0]) // MINUTE_MS + 1, 0, len(opens)), -1)
    is_lacking: NDArray[np.bool_] = np.cumsum(edges)[:-1] > 0
    return is_lacking


def _built(
    instrument: Instrument, trades: Trades, opens: NDArray[np.int64], now_ms: int
) -> list[Candles]:
    """Return the candles of whole minutes, flat ones at the price of the trade before them."""
    minute = trades["time_ms"] // MINUTE_MS * MINUTE_MS
    built = [aggregate_minutes(trades[np.isin(minute, opens)], instrument.spec)]
    reached = np.maximum.accumulate(trades["time_ms"])
    for open_ms in opens[~np.isin(opens, minute)].tolist():
        last = int(np.searchsorted(reached, open_ms)) - 1
        built.append(flat_minutes(open_ms, open_ms, float(trades["price"][last])))
    for candles in built:
        candles["closed_at_ms"] = now_ms
    return built
