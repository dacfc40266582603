"""What is kept of an exchange's messages as they came, beside trades and candles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class RawChannel(StrEnum):
    """A kind of message, whatever an exchange calls its channel."""

    TICKERS = "tickers"
    BOOKS = "books"
    CANDLES = "candles"
    STATUS = "status"
    INSTRUMENTS = "instruments"
    BALANCES = "balances"


EVERY_S: Final[Mapping[RawChannel, float]] = MappingProxyType(
    {
        RawChannel.TICKERS: 10,
        RawChannel.BOOKS: 30,
        RawChannel.CANDLES: 20,
        RawChannel.STATUS: 0,
        RawChannel.INSTRUMENTS: 0,
        RawChannel.BALANCES: 0,
    }
)
"""The least seconds of exchange time between two kept messages of one instrument; 0 keeps all.

Closed candles are always kept: the rate is that of running ones. A channel that is not named is
not asked for.
"""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One row of a message; `symbol` is None where it is about no instrument.

    `payload` is JSON as the exchange wrote it. Times are UTC milliseconds: the exchange's, and
    this machine's when the message came.
    """

    channel: RawChannel
    symbol: str | None
    exchange_ms: int
    received_ms: int
    payload: bytes


def read_rates(rates: Mapping[str, int]) -> dict[RawChannel, float]:
    """Return seconds by channel from plain names. Raises ValueError that lists the channels."""
    known = ", ".join(channel.value for channel in RawChannel)
    for name, seconds in rates.items():
        if name not in list(RawChannel) or seconds < 0:
            raise ValueError(
                f"expected one of {known} with its seconds, at least 0; was {name}={seconds}"
            )
    return {RawChannel(name): float(seconds) for name, seconds in rates.items()}
