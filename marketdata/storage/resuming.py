"""Where the store stands for an instrument when its collection starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketdata.domain.events import Hole, Resume
from marketdata.domain.records import empty_trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.candles import read_last_candles
from marketdata.storage.gaps import read_given_up
from marketdata.storage.trades import select_trades

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Ids rise with time but for a few milliseconds: the newest id is among the last rows, and rows
# that are later than it have smaller ids and belong to the minutes that are not closed too.
_LAST_TRADE: Final = """
select trade_id, (extract(epoch from executed_at) * 1000)::bigint from (
    select trade_id, executed_at from marketdata_trade where instrument_id = %s
    order by executed_at desc, trade_id desc limit 100
) as newest order by trade_id desc limit 1
"""


_FIRST_OPENING: Final = """
select (extract(epoch from min(open_time)) * 1000)::bigint from marketdata_opening
where instrument_id = %s
"""


def read_resume(cursor: CursorWrapper, instrument: Instrument) -> Resume:
    """Return the newest closed minute, the newest trade and the trades of minutes not closed."""
    last_id, last_ms = last_trade(cursor, instrument.pk)
    candles = read_last_candles(instrument, Timeframe.M1, 1)
    closed_ms = int(candles["open_time_ms"][0]) if len(candles) else None
    open_ms = (
        first_opening_ms(cursor, instrument.pk) if closed_ms is None else closed_ms + MINUTE_MS
    )
    open_trades = empty_trades()
    given_up: tuple[Hole, ...] = ()
    if open_ms is not None and last_id is not None and last_ms is not None:
        end_ms = max(open_ms, last_ms) + MINUTE_MS
        open_trades = select_trades(cursor, instrument.pk, open_ms, end_ms)
        given_up = read_given_up(cursor, instrument.pk, open_ms, last_id)
    return Resume(
        last_trade_id=last_id,
        last_trade_ms=last_ms,
        last_close=float(candles["close"][0]) if len(candles) else None,
        last_closed_open_ms=closed_ms,
        open_trades=open_trades,
        given_up=given_up,
    )


def first_opening_ms(cursor: CursorWrapper, instrument_id: int) -> int | None:
    """Return the first minute whose first trade is known: before the first candle, all of them."""
    cursor.execute(_FIRST_OPENING, [instrument_id])
    found: int | None = cursor.fetchone()[0]
    return found


def last_trade(cursor: CursorWrapper, instrument_id: int) -> tuple[int | None, int | None]:
    """Return the highest stored id and its trade's time in ms; None for both without a trade."""
    cursor.execute(_LAST_TRADE, [instrument_id])
    found: tuple[int, int] | None = cursor.fetchone()
    return found or (None, None)
