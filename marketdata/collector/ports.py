"""What a collector needs of the world around it. The store, Redis and REST stand behind these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import numpy as np

from marketdata.domain.events import Emission, Resume
from marketdata.domain.raw import RawMessage
from marketdata.domain.records import Candles, Ticker, Trades, empty_candles
from marketdata.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """An instrument as the exchange lists it."""

    symbol: str
    kind: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_size: Decimal
    contract_value: Decimal
    state: str
    listed_ms: int | None


@dataclass(frozen=True, slots=True)
class InstrumentBatch:
    """What one instrument's stream emitted since the last batch, merged and in order.

    `exchange_ms` is the exchange time at which the batch was made; the minutes of the emission
    are closed as of then. `confirmed` are the exchange's own closed 1m candles, in order, none
    before the stream closed its minute; a quote volume that was not told is NaN.
    """

    symbol: str
    emission: Emission
    exchange_ms: int
    confirmed: Candles = field(default_factory=empty_candles)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that goes into one transaction."""

    instruments: tuple[InstrumentBatch, ...]


class Sink(Protocol):
    """Where batches are stored. Blocking; called from the collector's one writer thread.

    Every method raises SinkUnavailable when the store does not answer (the call may be repeated:
    storing a batch twice changes nothing) and LostLease when another worker took over.
    """

    def resume(self, symbol: str) -> Resume:
        """Return where the store stands for `symbol`."""
        ...

    def today(self, symbol: str, now_ms: int) -> Candles:
        """Return the stored 1m candles of the UTC day of `now_ms`, for forming candles."""
        ...

    def commit(self, batch: Batch) -> None:
        """Store `batch` in one transaction."""
        ...

    def store_candles(self, symbol: str, candles: Candles, reason: str) -> None:
        """Store closed 1m candles that the exchange served as history."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class Publisher(Protocol):
    """Where live figures go. Never blocks, never raises; the latest value wins."""

    def forming(self, symbol: str, candles: Mapping[Timeframe, np.void], exchange_ms: int) -> None:
        """Show the running candles of every timeframe."""
        ...

    def closed(self, symbol: str, minutes: Candles, exchange_ms: int) -> None:
        """Tell that 1m candles were closed and stored; called after the commit."""
        ...

    def ticker(self, ticker: Ticker) -> None:
        """Show an instrument's last state."""
        ...


class Recorder(Protocol):
    """Where messages go that are kept as they came.

    Never blocks, never raises: what it cannot take is dropped and counted.
    """

    def record(self, message: RawMessage) -> None:
        """Keep one message."""
        ...

    def health(self) -> Mapping[str, int]:
        """Return counters as plain values; may be called from another thread."""
        ...

    def close(self) -> None:
        """Store what waits, as far as that takes a moment, and end. Blocks meanwhile."""
        ...


class NoRecorder:
    """Keeps nothing; implements Recorder."""

    def record(self, message: RawMessage) -> None:
        """Forget one message."""

    def health(self) -> Mapping[str, int]:
        """Return no counters."""
        return {}

    def close(self) -> None:
        """Nothing waits."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Access to one account of an exchange, to read it. It does not show itself."""

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    is_demo: bool = False


class History(Protocol):
    """The exchange's REST history.

    Every method raises ExchangeUnavailable after its own retries and ExchangeRefused when the
    request is wrong.
    """

    async def server_time_ms(self) -> int: ...

    async def instruments(self, kind: str) -> list[InstrumentInfo]:
        """Return the listed instruments of a kind: spot or swap."""
        ...

    async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
        """Return one page of single matches older than `before_id` (newest for None), ascending."""
        ...

    async def trades_until(self, symbol: str, end_ms: int) -> Trades:
        """Return one page of the newest single matches executed before `end_ms`, ascending."""
        ...

    async def candles_before(self, symbol: str, before_ms: int | None) -> Candles:
        """Return a page of closed 1m candles older than `before_ms`, ascending, source EXCHANGE."""
        ...


class Limiter(Protocol):
    """Keeps requests within the exchange's limits."""

    async def acquire(self, endpoint: str) -> None:
        """Return when one request to `endpoint` may be sent."""
        ...
