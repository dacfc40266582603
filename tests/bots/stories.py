"""A story of a few bots on one market, told minute by minute, and everything it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bots.models import Bot
from bots.services import (
    edit_bot,
    flatten_bot,
    kill_bots,
    pause_bot,
    resume_bot,
    start_bot,
    stop_bot,
)
from marketdata.domain.records import Candles, Opening
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.storage import write_candles
from marketdata.storage.openings import write_openings
from tests.bots.remains import groups, remains
from tests.bots.stepping import make_trader, tell_time
from tests.marketdata.api.conftest import START_MS, make_instrument, minutes

FREE = {"cash": "1000", "taker_bps": "10", "slippage_bps": "5"}
UPS_AND_DOWNS = (100, 101, 103, 102, 99, 97, 99, 102, 104, 103, 101, 98, 97, 99, 102, 105, 103)


def candles(closes: Any, *, start_ms: int = START_MS, volume: float = 1.0) -> Candles:
    """Return 1m candles that open where the one before closed."""
    made = minutes(len(closes), start_ms=start_ms)
    made["close"] = closes
    made["open"] = [closes[0], *closes[:-1]]
    made["high"] = np.maximum(made["open"], made["close"])
    made["low"] = np.minimum(made["open"], made["close"])
    made["volume"] = volume
    return made


def feed(market: Any, *closes: float, start: int = 0, before: float | None = None) -> None:
    """Store minutes from minute `start` on, and let the exchange's clock follow.

    The first opens at `before`, by default where it closes.
    """
    first_ms = START_MS + start * MINUTE_MS
    made = candles(closes, start_ms=first_ms)
    if before is not None:
        made["open"][0] = before
        made["high"][0], made["low"][0] = max(before, closes[0]), min(before, closes[0])
    write_candles(market, made, reason="test")
    tell_time(market.exchange, first_ms + len(closes) * MINUTE_MS)


def open_minute(market: Any, number: int, price: float) -> None:
    """Store the first trade of a minute."""
    from django.db import connection

    open_ms = START_MS + number * MINUTE_MS
    with connection.cursor() as cursor:
        write_openings(cursor, market.pk, (Opening(open_ms, price, number + 1, open_ms + 50),))
    tell_time(market.exchange, open_ms + 100)


class Story:
    """Three bots, two of which decide alike, with what people do to them."""

    prices: tuple[float, ...] = UPS_AND_DOWNS
    """What minutes close at, from the fifth on."""
    missing: frozenset[int] = frozenset()
    """Minutes of which no candle comes."""

    def __init__(self, symbol: str, step: Callable[[Any], None]) -> None:
        self.market, self._step = make_instrument(symbol, is_enabled=True), step
        self.bots = tuple(self._make_bots(symbol.lower()))
        self.plain, self.alike = self.bots[:2]

    def _make_bots(self, name: str) -> Iterator[Bot]:
        yield self._bot(f"{name} plain")
        yield self._bot(f"{name} alike", trading={**FREE, "stop_loss": "0.02"})
        yield self._bot(f"{name} slow", timeframe="5m")

    def _bot(self, name: str, **values: Any) -> Bot:
        values = {"trading": FREE, **values}
        return make_trader(self.market, {"fast": 1, "slow": 2}, name=name, **values)

    def tell(self) -> None:
        """Live through all of it."""
        feed(self.market, 100, 100, 100, 100, 100)
        for bot in self.bots:
            start_bot(bot, bot.owner)
        self._step(self.market)
        before: float = 100
        for number, price in enumerate(self.prices, 5):
            open_minute(self.market, number, before + 1)
            self._step(self.market)
            if act := self._acts().get(number):
                act()
                self._step(self.market)
            if number not in self.missing:
                feed(self.market, price, start=number, before=before)
                self._step(self.market)
            before = price

    def _acts(self) -> dict[int, Callable[[], Any]]:
        """Return what people do within minutes."""
        owner = self.plain.owner
        return {
            9: lambda: flatten_bot(self.plain, owner),
            11: lambda: pause_bot(self.plain, owner),
            12: lambda: edit_bot(self.alike, {"trading": {"stop_loss": "0.03"}}, owner),
            14: lambda: resume_bot(self.plain, owner),
            18: lambda: stop_bot(self.alike, owner),
        }

    def left(self) -> dict[str, Any]:
        """Return every row that the story left, without what differs from telling to telling."""
        rows = remains(self.bots, self.market.symbol)
        found: dict[str, Any] = {str(at): rows[bot.pk] for at, bot in enumerate(self.bots)}
        return {**found, "groups": groups(self.market)}


class ShortStory(Story):
    """Two bots for some minutes, in which steps do everything once that they ever do.

    They enter, leave, are stopped out, skip an entry, leave a minute out, obey, and end runs for
    every reason that a person gives.
    """

    prices = (101, 103, 96, 99, 98, 97, 103, 104, 104)
    missing = frozenset({9})

    def _make_bots(self, name: str) -> Iterator[Bot]:
        yield self._bot(f"{name} plain")
        yield self._bot(f"{name} alike", trading={**FREE, "stop_loss": "0.02"})

    def _acts(self) -> dict[int, Callable[[], Any]]:
        owner = self.plain.owner
        return {
            7: lambda: edit_bot(self.alike, {"trading": {"stop_loss": "0.03"}}, owner),
            8: lambda: pause_bot(self.plain, owner),
            9: lambda: (resume_bot(self.plain, owner), stop_bot(self.alike, owner)),
            12: lambda: kill_bots(owner, owner),
        }
