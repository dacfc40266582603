"""OKX's messages as they came: which row of a frame is about what, and when."""

from __future__ import annotations

from typing import Final

import msgspec

from marketdata.collector.okx.constants import (
    ACCOUNT,
    BOOKS5,
    CANDLE_1M,
    INSTRUMENTS,
    STATUS,
    TICKERS,
)
from marketdata.collector.okx.messages import CandlesPush, OtherPush, TickersPush, TradesPush
from marketdata.collector.okx.parsing import UNDECODABLE
from marketdata.collector.recording import Tap
from marketdata.domain.raw import RawChannel

CHANNELS: Final = {
    TICKERS: RawChannel.TICKERS,
    BOOKS5: RawChannel.BOOKS,
    CANDLE_1M: RawChannel.CANDLES,
    STATUS: RawChannel.STATUS,
    INSTRUMENTS: RawChannel.INSTRUMENTS,
    ACCOUNT: RawChannel.BALANCES,
}
"""By OKX's name of a channel, ours."""


class _Rows(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]


class _Row(msgspec.Struct, gc=False):
    """What names a row. Candles are arrays and have none of it."""

    instId: str = ""
    ts: str = ""
    uTime: str = ""


_decode_rows = msgspec.json.Decoder(_Rows).decode
_decode_row = msgspec.json.Decoder(_Row).decode


def keep(
    tap: Tap, push: CandlesPush | TickersPush | TradesPush | OtherPush, message: bytes
) -> bool:
    """Hand the rows of a frame that are due to the recorder; False when they cannot be read."""
    channel = CHANNELS.get(push.channel)
    if channel is None or not (_is_closed(tap, push) or tap.is_due(channel, push.symbol)):
        return True
    try:
        for row in _decode_rows(message).data:
            symbol, exchange_ms = _named(channel, push, bytes(row))
            tap.keep(channel, symbol or None, exchange_ms or tap.now_ms, bytes(row))
    except UNDECODABLE:
        return False
    return True


def keep_announced(tap: Tap, row: bytes) -> bool:
    """Hand a row of REST's system status to the recorder; False when it cannot be read."""
    try:
        stamp = _decode_row(row).ts
        exchange_ms = int(stamp) if stamp else tap.now_ms
    except UNDECODABLE:
        return False
    tap.keep(RawChannel.STATUS, None, exchange_ms, row)
    return True


def _is_closed(tap: Tap, push: CandlesPush | TickersPush | TradesPush | OtherPush) -> bool:
    """Closed candles are kept whenever they come: a replay closes its minutes by them."""
    is_kept = tap.keeps(RawChannel.CANDLES)
    return is_kept and isinstance(push, CandlesPush) and any(c.confirmed for c in push.candles)


def _named(
    channel: RawChannel, push: CandlesPush | TickersPush | TradesPush | OtherPush, row: bytes
) -> tuple[str, int]:
    """Return the instrument a row is about and its time; "" and 0 where it says neither.

    A candle's own time is its open time: when it was pushed is the newest time known.
    """
    if channel is RawChannel.CANDLES:
        return push.symbol, 0
    said = _decode_row(row)
    # The subject of an instruments channel is a kind, not an instrument.
    symbol = said.instId or (push.symbol if channel is RawChannel.BOOKS else "")
    stamp = said.uTime if channel is RawChannel.BALANCES else said.ts
    return symbol, int(stamp) if stamp else 0
