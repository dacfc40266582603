"""REST answers of OKX as records.

A row that cannot be read is left out, counted and logged; an answer of none but such rows raises
ExchangeUnavailable.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
import numpy as np
import structlog

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.okx.parsing import UNDECODABLE, CandleRow, Trade, is_spot
from marketdata.collector.ports import InstrumentInfo
from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    Source,
    Trades,
    empty_candles,
    trade_array,
)
from marketdata.domain.timeframe import MINUTE_MS

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every answer is wrapped in. Gateways write the code as a number and leave data out."""

    code: str
    message: str
    data: msgspec.Raw | None


class _Envelope(msgspec.Struct):
    code: str | int
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw()


class _Time(msgspec.Struct):
    ts: int


class _Instrument(msgspec.Struct):
    """Rows of instruments that are not open yet have most fields empty."""

    instId: str
    instType: str
    tickSz: str = ""
    lotSz: str = ""
    minSz: str = ""
    baseCcy: str = ""
    quoteCcy: str = ""
    ctVal: str = ""
    ctMult: str = ""
    ctType: str = ""
    state: str = ""
    listTime: str = ""


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_times = msgspec.json.Decoder(list[_Time], strict=False).decode
_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_trades = msgspec.json.Decoder(list[Trade], strict=False), msgspec.json.Decoder(Trade, strict=False)
_candles = (
    msgspec.json.Decoder(list[CandleRow], strict=False),
    msgspec.json.Decoder(CandleRow, strict=False),
)
_instruments = msgspec.json.Decoder(list[_Instrument]), msgspec.json.Decoder(_Instrument)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def parse_envelope(body: bytes) -> Envelope | None:
    """Return the envelope of an answer; None when it is none of OKX's."""
    try:
        envelope = _decode_envelope(body)
    except UNDECODABLE:
        return None
    data = envelope.data if bytes(envelope.data)[:1] == b"[" else None
    return Envelope(str(envelope.code), envelope.msg, data)


def parse_server_time(data: msgspec.Raw) -> int:
    """Return the exchange's clock in ms."""
    times = _read(_decode_times, data)
    if not times:
        raise ExchangeUnavailable("an answer without a time")
    return times[0].ts


def parse_trades(data: msgspec.Raw) -> Trades:
    """Return single matches in ascending order of id, each once."""
    trades = trade_array(_rows(_trades, data, lambda trade: trade.row))
    _, first = np.unique(trades["trade_id"], return_index=True)
    return trades[first]


def parse_candles(symbol: str, data: msgspec.Raw) -> Candles:
    """Return the closed candles in ascending order, each once; the running one is left out."""
    spot = is_spot(symbol)
    read = _rows(_candles, data, lambda row: _candle(row, spot) if row.confirm == "1" else None)
    rows = {row[0]: row for row in read if row is not None and row[0] % MINUTE_MS == 0}
    if not rows:
        return empty_candles()
    return np.array([rows[open_time] for open_time in sorted(rows)], dtype=CANDLE_DTYPE)


def parse_rows(data: msgspec.Raw) -> list[bytes]:
    """Return the rows of an answer as they were written."""
    return [bytes(row) for row in _read(_decode_rows, data)]


def parse_instruments(data: msgspec.Raw) -> list[InstrumentInfo]:
    """Return the instruments that can be collected.

    Left out: rows without sizes (not open yet) and inverse swaps, whose contracts are worth a
    fixed amount of quote currency.
    """
    instruments = _rows(_instruments, data, _instrument)
    return [instrument for instrument in instruments if instrument is not None]


def _rows(
    decoders: tuple[msgspec.json.Decoder[list[R]], msgspec.json.Decoder[R]],
    data: msgspec.Raw,
    make: Callable[[R], T],
) -> list[T]:
    """Return the rows that can be read: a bad one would have its page asked for again for ever."""
    whole, single = decoders
    try:
        return [make(row) for row in whole.decode(data)]
    except UNDECODABLE as error:
        rows, reason = [], str(error)
    raw = _read(_decode_rows, data)
    for one in raw:
        with contextlib.suppress(*UNDECODABLE):
            rows.append(make(single.decode(one)))
    if not rows:
        raise ExchangeUnavailable(f"an answer that cannot be read: {reason}")
    log.warning("rows left out that cannot be read", number=len(raw) - len(rows), reason=reason)
    return rows


def _read(decode: Callable[[msgspec.Raw], T], data: msgspec.Raw) -> T:
    try:
        return decode(data)
    except UNDECODABLE as error:
        raise ExchangeUnavailable(f"an answer that cannot be read: {error}") from error


def _candle(row: CandleRow, spot: bool) -> tuple[Any, ...]:
    volume = row.vol if spot else row.volCcy
    quote_volume = float(row.volCcyQuote) if row.volCcyQuote else row.volCcy
    count = 0 if volume == 0 else UNKNOWN
    known_at = row.ts + MINUTE_MS
    ids = (count, UNKNOWN, UNKNOWN)
    prices = (row.o, row.h, row.l, row.c)
    return (row.ts, *prices, volume, quote_volume, *ids, 1, Source.EXCHANGE, known_at, 0)


def _instrument(row: _Instrument) -> InstrumentInfo | None:
    if row.ctType == "inverse":
        return None
    kind = "spot" if row.instType == "SPOT" else "swap"
    # Swaps leave baseCcy and quoteCcy empty; their name starts with both.
    base, _, rest = row.instId.partition("-")
    quote = rest.partition("-")[0]
    try:
        tick, lot, minimum = Decimal(row.tickSz), Decimal(row.lotSz), Decimal(row.minSz)
        contract = Decimal(1) if kind == "spot" else Decimal(row.ctVal) * Decimal(row.ctMult or 1)
    except InvalidOperation:
        return None
    if min(tick, lot, contract) <= 0:
        return None
    return InstrumentInfo(
        symbol=row.instId,
        kind=kind,
        base=row.baseCcy or base,
        quote=row.quoteCcy or quote,
        tick_size=tick,
        lot_size=lot,
        min_size=minimum,
        contract_value=contract,
        state=row.state,
        listed_ms=int(row.listTime) if row.listTime.isdigit() else None,
    )
