"""Archives back into the database: what is there stays, what is missing comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection, transaction

from marketdata.domain.raw import RawChannel
from marketdata.domain.records import TRADE_DTYPE
from marketdata.models import Archive
from marketdata.storage.archives import ArchiveDamaged, check_archive, read_archive
from marketdata.storage.copying import Pieces
from marketdata.storage.locks import lock_instrument
from marketdata.storage.partitions import ensure_partitions
from marketdata.storage.trades import write_trades

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

RAW_COLUMNS: Final = "id,channel,exchange,symbol,exchange_time,received_at,payload"
TRADE_COLUMNS: Final = "exchange,symbol,executed_at,trade_id,price,size,count,side,received_at"

_RAW_STAGE: Final = """
create temp table restored (id bigint, channel text, exchange text, symbol text,
    exchange_time timestamptz, received_at timestamptz, payload jsonb) on commit drop
"""
_TRADE_STAGE: Final = """
create temp table restored (exchange text, symbol text, executed_at timestamptz, trade_id bigint,
    price float8, size float8, count int, side smallint, received_at timestamptz) on commit drop
"""
_RAW_INSERT: Final = """
insert into marketdata_rawmessage
    (id, channel, exchange, instrument_id, exchange_time, received_at, payload)
select r.id, r.channel, r.exchange, i.id, r.exchange_time, r.received_at, r.payload
from restored r
left join marketdata_instrument i on i.exchange = r.exchange and i.symbol = r.symbol
on conflict do nothing
"""
_TRADE_INSERT: Final = """
insert into marketdata_trade
    (instrument_id, executed_at, trade_id, price, size, count, side, received_at)
select i.id, r.executed_at, r.trade_id, r.price, r.size, r.count, r.side, r.received_at
from restored r
join marketdata_instrument i on i.exchange = r.exchange and i.symbol = r.symbol
where not exists (
    select 1 from marketdata_trade t
    where t.instrument_id = i.id and t.executed_at between r.executed_at - interval '10 ms'
        and r.executed_at + interval '10 ms'
        and t.trade_id > r.trade_id - r.count and t.trade_id - t.count < r.trade_id
)
on conflict do nothing
"""
_INSTRUMENTS: Final = """
select id from marketdata_instrument
where (exchange, symbol) in (select distinct exchange, symbol from restored) order by id
"""
# Rows of which some matches are stored otherwise: alone in one place and merged in the other.
_OTHERWISE: Final = """
select r.trade_id, (extract(epoch from r.executed_at) * 1000)::bigint, r.price, r.size, r.side,
    r.count
from restored r
join marketdata_instrument i on i.exchange = r.exchange and i.symbol = r.symbol
where i.id = %s and exists (
    select 1 from marketdata_trade t
    where t.instrument_id = i.id and t.executed_at between r.executed_at - interval '10 ms'
        and r.executed_at + interval '10 ms'
        and t.trade_id > r.trade_id - r.count and t.trade_id - t.count < r.trade_id
        and (t.trade_id, t.count) <> (r.trade_id, r.count)
)
"""
_UNKNOWN: Final = """
select distinct r.exchange || ':' || r.symbol from restored r
left join marketdata_instrument i on i.exchange = r.exchange and i.symbol = r.symbol
where r.symbol is not null and i.id is null
"""
_DAYS: Final = """
select distinct channel, (exchange_time at time zone 'UTC')::date from restored
"""


class UnknownInstrument(Exception):
    """An archive names an instrument that is not listed here."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore: rows in the file, and how many of them were missing here."""

    rows: int
    added: int


def restore_archive(name: str) -> Restored:
    """Put the rows of an archive back, in one transaction; restoring it again changes nothing.

    Raises ArchiveDamaged, also when the file differs from its record, and UnknownInstrument.
    """
    content = check_archive(name)
    record = Archive.objects.filter(name=name).first()
    if record is not None and (record.rows, record.sha256) != (content.rows, content.sha256):
        raise ArchiveDamaged(f"{name} is not what was written: its record says {record.rows} rows")
    header, pieces = _opened(name)
    with transaction.atomic():
        if header == RAW_COLUMNS:
            added = _restore(_RAW_STAGE, pieces, _RAW_INSERT, is_raw=True)
        elif header == TRADE_COLUMNS:
            added = _restore(_TRADE_STAGE, pieces, _TRADE_INSERT, is_raw=False)
        else:
            raise ArchiveDamaged(f"{name} is no archive of ours: it begins with {header[:80]!r}")
    return Restored(content.rows, added)


def _restore(stage: str, pieces: Iterator[bytes], insert: str, *, is_raw: bool) -> int:
    with connection.cursor() as cursor:
        # A day's rows may take longer than an idle session is allowed between two statements.
        cursor.execute("set local idle_in_transaction_session_timeout = '60s'")
        cursor.execute(stage)
        with cursor.db.wrap_database_errors:
            cursor.copy_expert("copy restored from stdin (format csv)", Pieces(pieces))
        cursor.execute(_UNKNOWN)
        if unknown := [name for (name,) in cursor.fetchall()]:
            raise UnknownInstrument(
                f"{', '.join(unknown)} is not listed here: `manage.py sync_instruments` first"
            )
        if is_raw:
            cursor.execute(_DAYS)
            ensure_partitions([(RawChannel(channel), day) for channel, day in cursor.fetchall()])
        else:
            _settle(cursor)
        cursor.execute(insert)
        return int(cursor.rowcount)


def _settle(cursor: CursorWrapper) -> None:
    """Let no match be there twice, merged and alone, with the instruments locked from here on."""
    cursor.execute(_INSTRUMENTS)
    for (instrument_id,) in cursor.fetchall():
        lock_instrument(cursor, instrument_id)
        cursor.execute(_OTHERWISE, [instrument_id])
        write_trades(cursor, instrument_id, np.array(cursor.fetchall(), dtype=TRADE_DTYPE))


def _opened(name: str) -> tuple[str, Iterator[bytes]]:
    """Return a file's header and its rows."""
    pieces = read_archive(name)
    first = next(pieces, b"")
    header, _, rest = first.partition(b"\n")

    def rows() -> Iterator[bytes]:
        if rest:
            yield rest
        yield from pieces

    return header.decode(errors="replace"), rows()
