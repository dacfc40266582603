"""The collector's way into the database: one transaction for each batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)

from marketdata.collector.errors import SinkUnavailable
from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.errors import MarketDataError
from marketdata.domain.events import Resume
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import DAY_MS, Timeframe
from marketdata.models import Instrument
from marketdata.storage.candles import read_candles
from marketdata.storage.checks import check_minutes
from marketdata.storage.gaps import write_gaps
from marketdata.storage.locks import check_fence, lock_instrument
from marketdata.storage.merging import differs
from marketdata.storage.openings import write_openings
from marketdata.storage.proving import judged_minutes
from marketdata.storage.quarantine import put_aside
from marketdata.storage.rebuilding import settle_minutes
from marketdata.storage.resuming import read_resume
from marketdata.storage.trades import write_trades
from marketdata.storage.writing import store_minutes, write_candles

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_LATE: Final = "late trade"
_HOLE: Final = "hole given up or repaired"

# Idle in a transaction for too long, a transaction that was too long, the three kinds of a
# shutdown, and a lock that was not to be had in time.
_ENDED: Final = frozenset({"25P03", "25P04", "57P01", "57P02", "57P03", "55P03"})

# Errors that come again with the same data, and only with them.
_REFUSALS: Final = (DataError, IntegrityError, MarketDataError)


class DatabaseSink:
    """Stores what a collector makes of one exchange; implements `ports.Sink`.

    Used from one thread, with Django's connection of that thread. Without a collector's id there
    is no lease to check. Every commit is synchronous: what was published is never lost.
    """

    def __init__(self, collector_id: int | None, exchange: str, fencing_token: int | None) -> None:
        self._collector_id = collector_id
        self._exchange = exchange
        self._fencing_token = fencing_token
        self._instruments: dict[str, Instrument] = {}

    def resume(self, symbol: str) -> Resume:
        """Return where the store stands for `symbol`. Raises SinkUnavailable."""
        # Its sizes may have changed since it was collected before.
        self._instruments.pop(symbol, None)
        with _available(), connection.cursor() as cursor:
            return read_resume(cursor, self._instrument(symbol))

    def today(self, symbol: str, now_ms: int) -> Candles:
        """Return the stored 1m candles of the UTC day of `now_ms`. Raises SinkUnavailable."""
        start_ms = now_ms - now_ms % DAY_MS
        with _available():
            return read_candles(self._instrument(symbol), Timeframe.M1, start_ms, start_ms + DAY_MS)

    def commit(self, batch: Batch) -> None:
        """Store `batch` in one transaction; storing it again changes nothing.

        Raises LostLease when another worker has taken over and SinkUnavailable when the database
        does not answer; nothing is stored then, or all of it is. Where the database refuses the
        batch for what it says, every instrument's part is stored by itself, and what is refused
        again is put aside.
        """
        with _available():
            # In order of id, so that two writers never wait for each other.
            parts = sorted(
                ((self._instrument(part.symbol), part) for part in batch.instruments),
                key=lambda part: part[0].pk,
            )
            try:
                self._commit(parts)
            except _REFUSALS:
                self._commit_apart(parts)

    def _commit(self, parts: list[tuple[Instrument, InstrumentBatch]]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            self._check_fence(cursor)
            for instrument, part in parts:
                _store(cursor, instrument, part)

    def _commit_apart(self, parts: list[tuple[Instrument, InstrumentBatch]]) -> None:
        """Store each part in a transaction of its own, so that one cannot stop the others."""
        for instrument, part in parts:
            try:
                self._commit([(instrument, part)])
            except _REFUSALS as error:
                put_aside(instrument, part, error)

    def store_candles(self, symbol: str, candles: Candles, reason: str) -> None:
        """Store closed 1m candles of the exchange's history, in transactions of 34 days.

        Raises LostLease and SinkUnavailable as `commit` does.
        """
        with _available():
            write_candles(self._instrument(symbol), candles, reason=reason, fence=self._check_fence)

    def close(self) -> None:
        """Give this thread's connection back."""
        connection.close()

    def _check_fence(self, cursor: CursorWrapper) -> None:
        check_fence(cursor, self._collector_id, self._fencing_token)

    def _instrument(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            self._instruments[symbol] = Instrument.objects.named(self._exchange, symbol)
        return self._instruments[symbol]


def _store(cursor: CursorWrapper, instrument: Instrument, part: InstrumentBatch) -> None:
    emission = part.emission
    lock_instrument(cursor, instrument.pk)
    if len(emission.trades):
        write_trades(cursor, instrument.pk, emission.trades)
    write_openings(cursor, instrument.pk, emission.openings)
    minutes = emission.minutes.copy()
    minutes["closed_at_ms"][minutes["closed_at_ms"] == 0] = part.exchange_ms
    minutes = settle_minutes(cursor, instrument, minutes, emission.rebuild)
    store_minutes(cursor, instrument, minutes, _LATE)
    for span in write_gaps(cursor, instrument, emission):
        judged = judged_minutes(cursor, instrument, span, part.exchange_ms)
        store_minutes(cursor, instrument, judged, _HOLE, differs)
    check_minutes(cursor, instrument.pk, part.confirmed)


@contextmanager
def _available() -> Iterator[None]:
    """Turn a database that does not answer into SinkUnavailable, with a fresh connection next."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        if not _is_away(error):
            raise
        connection.close()
        raise SinkUnavailable(str(error).strip()) from error


def _is_away(error: Exception) -> bool:
    """Whether `error` tells of the session or of the server, and not of what was asked.

    psycopg2 reports a session that the server ended in more than one class, as it was noticed.
    """
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    if getattr(error.__cause__, "pgcode", None) in _ENDED:
        return True
    return connection.connection is None or bool(connection.connection.closed)
