"""Raw messages on their way into the database and out of it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from django.db import DataError, IntegrityError, connection, transaction

from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.domain.timeframe import DAY_MS
from marketdata.models import Instrument, from_ms
from marketdata.storage.copying import SIGNATURE, TRAILER
from marketdata.storage.partitions import ensure_partitions

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

Day = tuple[RawChannel, date]
Fence = Callable[["CursorWrapper"], None]

_COPY: Final = (
    "copy marketdata_rawmessage (channel, exchange, instrument_id, exchange_time, received_at,"
    " payload) from stdin (format binary)"
)
_FIELDS: Final = struct.pack(">h", 6)
_NULL: Final = struct.pack(">i", -1)
_JSONB_VERSION: Final = b"\x01"
_EPOCH_MS: Final = 946_684_800_000

_READ: Final = """
select (extract(epoch from exchange_time) * 1000)::bigint, payload::text
from marketdata_rawmessage
where channel = %s and instrument_id = %s and exchange_time >= %s and exchange_time < %s
    and exchange = %s
order by exchange_time, id
"""

_READ_ANNOUNCED: Final = _READ.replace("instrument_id = %s", "instrument_id is null")

_FORGET: Final = """
delete from marketdata_rawmessage
where channel = %s and (instrument_id = any(%s) or instrument_id is null) and exchange = %s
"""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A kept message; the time is the exchange's, in UTC milliseconds."""

    exchange_ms: int
    payload: bytes


class RawWriter:
    """Writes one exchange's messages, in transactions of their own; used from one thread.

    `fence` is called first in each of them and may raise LostLease.
    """

    def __init__(self, exchange: str, fence: Fence | None = None) -> None:
        self.refused = 0
        self._exchange, self._fence = exchange, fence
        self._instruments: dict[str, int | None] = {}
        self._days: set[Day] = set()

    def write(self, messages: Sequence[RawMessage]) -> None:
        """Store messages; one that the database refuses is counted and left out.

        Raises LostLease, and OperationalError or InterfaceError when the database does not answer.
        """
        try:
            self._store(messages)
        except IntegrityError:
            # Retention took the day of one of them away, and the messages are still wanted.
            self._days.clear()
            self._store(messages)
        except DataError:
            # JSON may say what JSONB cannot hold, such as a character zero.
            for message in messages:
                self._store_one(message)

    def _store_one(self, message: RawMessage) -> None:
        try:
            self._store([message])
        except DataError:
            self.refused += 1

    def _store(self, messages: Sequence[RawMessage]) -> None:
        wanted = {(message.channel, _day(message.exchange_ms)) for message in messages}
        ensure_partitions(sorted(wanted - self._days))
        self._days |= wanted
        ids = {message.symbol: self._instrument(message.symbol) for message in messages}
        rows = b"".join(encoded(self._exchange, ids, message) for message in messages)
        with transaction.atomic(), connection.cursor() as cursor:
            # Losing the last moment in a crash is cheaper than a flush for each batch.
            cursor.execute("set local synchronous_commit = off")
            if self._fence is not None:
                self._fence(cursor)
            with cursor.db.wrap_database_errors:
                cursor.copy_expert(_COPY, io.BytesIO(SIGNATURE + rows + TRAILER))

    def _instrument(self, symbol: str | None) -> int | None:
        """Return an instrument's key; None while it is not listed here."""
        if symbol is None:
            return None
        if self._instruments.get(symbol) is None:
            found = Instrument.objects.filter(exchange=self._exchange, symbol=symbol)
            self._instruments[symbol] = found.values_list("pk", flat=True).first()
        return self._instruments[symbol]


def encoded(exchange: str, ids: Mapping[str | None, int | None], message: RawMessage) -> bytes:
    """Return one row of the binary COPY."""
    instrument = ids[message.symbol]
    return b"".join(
        (
            _FIELDS,
            _sized(message.channel.value.encode()),
            _sized(exchange.encode()),
            _NULL if instrument is None else _sized(struct.pack(">q", instrument)),
            _sized(struct.pack(">q", (message.exchange_ms - _EPOCH_MS) * 1000)),
            _sized(struct.pack(">q", (message.received_ms - _EPOCH_MS) * 1000)),
            _sized(_JSONB_VERSION + message.payload),
        )
    )


def read_messages(
    instrument: Instrument, channel: RawChannel, start_ms: int, end_ms: int
) -> Iterator[StoredMessage]:
    """Yield an instrument's messages of [start_ms, end_ms) in order of exchange time."""
    with connection.cursor() as cursor:
        span = from_ms(start_ms), from_ms(end_ms)
        cursor.execute(_READ, [channel.value, instrument.pk, *span, instrument.exchange])
        for time_ms, payload in cursor.fetchall():
            yield StoredMessage(time_ms, payload.encode())


def read_announced(
    exchange: str, channel: RawChannel, start_ms: int, end_ms: int
) -> Iterator[StoredMessage]:
    """Yield messages of [start_ms, end_ms) that are about no instrument, in order of time."""
    with connection.cursor() as cursor:
        span = from_ms(start_ms), from_ms(end_ms)
        cursor.execute(_READ_ANNOUNCED, [channel.value, *span, exchange])
        for time_ms, payload in cursor.fetchall():
            yield StoredMessage(time_ms, payload.encode())


def forget_messages(exchange: str, instruments: Sequence[int]) -> None:
    """Delete what is kept of instruments of an exchange that nobody collects, and of itself."""
    with connection.cursor() as cursor:
        for channel in RawChannel:
            cursor.execute(_FORGET, [channel.value, list(instruments), exchange])


def _sized(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def _day(time_ms: int) -> date:
    return from_ms(time_ms - time_ms % DAY_MS).date()
