"""Storing and reading the tape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection
from psycopg2 import sql

from marketdata.domain.records import Trades
from marketdata.models import Instrument, from_ms
from marketdata.storage.copying import column_names, copy_in, copy_out
from marketdata.storage.overlaps import first_ids, settle
from marketdata.storage.rows import TRADE_READ, TRADE_WRITE, trade_columns, trades_of

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_COLUMNS: Final = sql.SQL(", ").join(map(sql.Identifier, column_names(TRADE_READ)))

# An aggregated row may carry the time of another of its matches: look this far to both sides.
_MARGIN_MS: Final = 10
# Rows further apart than this are looked up apart: an old row among live ones costs no long scan.
_APART_MS: Final = 60_000

_OVERLAPS: Final = """
select exists (
    select 1 from marketdata_trade
    where instrument_id = %s and executed_at between %s and %s
        and trade_id >= %s and trade_id - count < %s
)
"""

_DELETE: Final = """
delete from marketdata_trade using unnest(%s::bigint[], %s::bigint[]) as gone (time_ms, trade_id)
where marketdata_trade.instrument_id = %s
    and marketdata_trade.executed_at = timestamptz 'epoch' + gone.time_ms * interval '1 ms'
    and marketdata_trade.trade_id = gone.trade_id
"""


def read_trades(instrument: Instrument, start_ms: int, end_ms: int) -> Trades:
    """Return the stored trades executed in [start_ms, end_ms), in order of trade id."""
    with connection.cursor() as cursor:
        return select_trades(cursor, instrument.pk, start_ms, end_ms)


def select_trades(cursor: CursorWrapper, instrument_id: int, start_ms: int, end_ms: int) -> Trades:
    """Return what `read_trades` does, within the transaction of `cursor`."""
    query = sql.SQL(
        "select {columns} from marketdata_trade where instrument_id = {instrument}"
        " and executed_at >= {start} and executed_at < {end} order by executed_at, trade_id"
    ).format(
        columns=_COLUMNS,
        instrument=sql.Literal(instrument_id),
        start=sql.Literal(from_ms(start_ms)),
        end=sql.Literal(from_ms(end_ms)),
    )
    return _in_order(copy_out(cursor, TRADE_READ, query, trades_of))


def write_trades(cursor: CursorWrapper, instrument_id: int, trades: Trades) -> None:
    """Store what is new of `trades`; call it with the instrument locked.

    Rows that nothing stored overlaps, the live case, go straight into the table.
    """
    trades = _in_order(trades)
    overlapping = bool(np.any(first_ids(trades)[1:] <= trades["trade_id"][:-1]))
    clusters = list(_clusters(trades))
    if overlapping or any(_is_known(cursor, instrument_id, cluster) for cluster in clusters):
        trades = _settle(cursor, instrument_id, trades, clusters)
    if len(trades):
        columns = trade_columns(instrument_id, trades)
        copy_in(cursor, "marketdata_trade", TRADE_WRITE, len(trades), columns)


def _settle(
    cursor: CursorWrapper, instrument_id: int, trades: Trades, clusters: list[Trades]
) -> Trades:
    stored = [
        select_trades(
            cursor,
            instrument_id,
            int(cluster["time_ms"].min()) - _MARGIN_MS,
            int(cluster["time_ms"].max()) + _MARGIN_MS + 1,
        )
        for cluster in clusters
    ]
    settled = settle(np.concatenate(stored), trades)
    if len(settled.gone):
        keys = settled.gone["time_ms"].tolist(), settled.gone["trade_id"].tolist()
        cursor.execute(_DELETE, [*keys, instrument_id])
    return settled.added


def _is_known(cursor: CursorWrapper, instrument_id: int, trades: Trades) -> bool:
    start_ms = int(trades["time_ms"].min()) - _MARGIN_MS
    end_ms = int(trades["time_ms"].max()) + _MARGIN_MS
    ids = int(first_ids(trades).min()), int(trades["trade_id"].max())
    cursor.execute(_OVERLAPS, [instrument_id, from_ms(start_ms), from_ms(end_ms), *ids])
    return bool(cursor.fetchone()[0])


def _clusters(trades: Trades) -> Iterator[Trades]:
    by_time = trades[np.argsort(trades["time_ms"], kind="stable")]
    breaks = np.flatnonzero(np.diff(by_time["time_ms"]) > _APART_MS) + 1
    return (cluster for cluster in np.split(by_time, breaks) if len(cluster))


def _in_order(trades: Trades) -> Trades:
    if np.all(np.diff(trades["trade_id"]) > 0):
        return trades
    return trades[np.argsort(trades["trade_id"], kind="stable")]
