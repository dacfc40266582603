"""From OKX's frames to typed records. Nothing here throws on bad input: it returns Unreadable."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final, Literal

import msgspec

from marketdata.collector.okx.constants import CANDLE_1M, TICKERS, TRADES, TRADES_ALL
from marketdata.collector.okx.messages import (
    Ack,
    CandlePush,
    CandlesPush,
    Message,
    Notice,
    OtherEvent,
    OtherPush,
    Pong,
    Refusal,
    TickersPush,
    TradeRow,
    TradesPush,
    Unreadable,
)
from marketdata.domain.records import Ticker

TRADES_PREFIX: Final = b'{"arg":{"channel":"trades'
"""How OKX writes every trades and trades-all push; other key orders take the general way."""

_LARGEST_NUMBER: Final = 1e15  # more digits than float64 keeps
_Id = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_TimeMs = Annotated[int, msgspec.Meta(gt=0, lt=2**53)]
_Amount = Annotated[float, msgspec.Meta(gt=0, lt=_LARGEST_NUMBER)]
_Volume = Annotated[float, msgspec.Meta(ge=0, lt=_LARGEST_NUMBER)]
_Count = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


# The names below are OKX's own keys.
class Trade(msgspec.Struct, gc=False):
    instId: str
    tradeId: _Id
    px: _Amount
    sz: _Amount
    side: Literal["buy", "sell"]
    ts: _TimeMs
    count: _Count = 1

    @property
    def row(self) -> TradeRow:
        side = 1 if self.side == "buy" else -1
        return (self.tradeId, self.ts, self.px, self.sz, side, self.count)


class CandleRow(msgspec.Struct, array_like=True, gc=False):
    """Recordings of 2022 end after volCcy."""

    ts: _TimeMs
    o: _Amount
    h: _Amount
    l: _Amount  # noqa: E741
    c: _Amount
    vol: _Volume
    volCcy: _Volume
    volCcyQuote: str = ""
    confirm: str = ""


class _TradesFrame(msgspec.Struct, gc=False):
    data: list[Trade]


class _CandlesFrame(msgspec.Struct, gc=False):
    data: list[CandleRow]


class _TickerRow(msgspec.Struct, gc=False):
    instId: str
    last: str
    ts: _TimeMs
    bidPx: str = ""
    askPx: str = ""
    open24h: str = ""
    high24h: str = ""
    low24h: str = ""
    vol24h: str = ""
    volCcy24h: str = ""


class _TickersFrame(msgspec.Struct, gc=False):
    data: list[_TickerRow]


class _Arg(msgspec.Struct, gc=False):
    channel: str = ""
    instId: str = ""
    instType: str = ""

    @property
    def subject(self) -> str:
        return self.instId or self.instType


class _Frame(msgspec.Struct, gc=False):
    arg: _Arg | None = None
    event: str = ""
    code: str | int = ""
    msg: str = ""
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw()


# Numbers come as strings; strict=False takes them.
decode_trades = msgspec.json.Decoder(_TradesFrame, strict=False).decode
_decode_candles = msgspec.json.Decoder(_CandlesFrame, strict=False).decode
_decode_tickers = msgspec.json.Decoder(_TickersFrame, strict=False).decode
_decode_frame = msgspec.json.Decoder(_Frame).decode

UNDECODABLE: Final = (ValueError, RecursionError)
"""What a decoder raises: bad JSON, bad UTF-8, a value of the wrong kind; JSON nested too deeply."""

_REFUSED = re.compile(r"channel:(?P<channel>[^,\s]+)(?:,\s*inst(?:Id|Type):(?P<symbol>\S+))?")


def parse(message: bytes) -> Message:
    """Return what one text frame says."""
    if message == b"pong":
        return Pong()
    try:
        frame = _decode_frame(message)
    except UNDECODABLE:
        return Unreadable("no frame of OKX")
    if frame.event:
        return _event(frame)
    if frame.arg is None or not frame.data:
        return Unreadable("neither event nor data")
    try:
        return _push(frame.arg, message)
    except UNDECODABLE:
        return Unreadable("bad values")


def is_spot(symbol: str) -> bool:
    """Whether `symbol` is a pair: derivatives carry a third part such as SWAP or an expiry."""
    return symbol.count("-") == 1


def _push(arg: _Arg, message: bytes) -> Message:
    if arg.channel in (TRADES_ALL, TRADES):
        rows = tuple(trade.row for trade in decode_trades(message).data)
        return TradesPush(arg.channel, arg.instId, rows)
    if arg.channel == CANDLE_1M:
        candles = tuple(_candle(arg.instId, row) for row in _decode_candles(message).data)
        return CandlesPush(arg.channel, arg.instId, candles)
    if arg.channel == TICKERS:
        rows_ = _decode_tickers(message).data
        return TickersPush(
            arg.channel, arg.instId, tuple(_ticker(row) for row in rows_ if row.last)
        )
    return OtherPush(arg.channel, arg.subject)


def _event(frame: _Frame) -> Message:
    code = str(frame.code)
    arg = frame.arg or _Arg()
    if frame.event in ("subscribe", "unsubscribe"):
        return Ack(frame.event, arg.channel, arg.subject)
    if frame.event == "notice":
        return Notice(code, frame.msg)
    if frame.event == "error":
        named = _REFUSED.search(frame.msg)
        channel = arg.channel or (named["channel"] if named else "")
        symbol = arg.subject or (named["symbol"] or "" if named else "")
        return Refusal(code, frame.msg, channel, symbol)
    return OtherEvent(frame.event)


def _candle(symbol: str, row: CandleRow) -> CandlePush:
    volume = row.vol if is_spot(symbol) else row.volCcy
    quote_volume = _number(row.volCcyQuote)
    return CandlePush(
        symbol,
        row.ts,
        *(row.o, row.h, row.l, row.c, volume),
        confirmed=row.confirm == "1",
        quote_volume=math.nan if quote_volume is None else quote_volume,
    )


def _ticker(row: _TickerRow) -> Ticker:
    last = _number(row.last)
    if last is None:
        raise ValueError(f"expected a price, was {row.last!r}")
    return Ticker(
        symbol=row.instId,
        time_ms=row.ts,
        last=last,
        bid=_number(row.bidPx),
        ask=_number(row.askPx),
        open_24h=_number(row.open24h) or last,
        high_24h=_number(row.high24h) or last,
        low_24h=_number(row.low24h) or last,
        volume_24h=_number(row.vol24h) or 0.0,
        volume_ccy_24h=_number(row.volCcy24h) or 0.0,
    )


def _number(text: str) -> float | None:
    """An empty side is an empty string."""
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"expected a number of at least 0, was {text!r}")
    return value
