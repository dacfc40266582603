"""What is kept of an exchange's messages as they came, beside trades and candles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RawChannel(StrEnum):
    """A kind of message, whatever an exchange calls its channel."""

    TICKERS = "tickers"
    BOOKS = "books"
    CANDLES = "candle_pushes"
    STATUS = "status"
    INSTRUMENTS = "instruments"
    BALANCES = "balances"


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


def read_rates(text: str) -> dict[RawChannel, float]:
    """Return the seconds of each channel from `tickers=10,books=30`.

    Raises ValueError that says what was expected.
    """
    try:
        pairs = (part.split("=") for part in text.split(",") if part.strip())
        rates = {RawChannel(name.strip()): float(seconds) for name, seconds in pairs}
        if min(rates.values(), default=0) >= 0:
            return rates
    except ValueError:
        pass
    raise ValueError(
        f"expected channel=seconds,channel=seconds with some of {', '.join(RawChannel)} and "
        f"seconds of at least 0, was {text!r}"
    )
