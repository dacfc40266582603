"""books, books5 and bbo-tbt."""

from __future__ import annotations

from typing import Final
from zlib import crc32

import msgspec
import numpy as np

from marketdata.simulator.books import DEPTH, Book, Level, Side, book, sequence
from marketdata.simulator.feeds import message
from marketdata.simulator.hashing import Integers
from marketdata.simulator.instruments import Instrument
from marketdata.simulator.matches import Flags
from marketdata.simulator.view import View

_HEARTBEAT_MS: Final = 60_000

Row = tuple[str, str, str, str]


def level_rows(instrument: Instrument, levels: list[Level]) -> list[Row]:
    """Return levels as the exchange writes them: price, size, "0", number of orders."""
    return [
        (instrument.price(level.ticks), instrument.size(level.lots), "0", str(level.orders))
        for level in levels
    ]


class TopFeed:
    """books5 and bbo-tbt: the whole top of the book whenever it changed."""

    def __init__(self, symbol: str, channel: str, depth: int) -> None:
        self._symbol = symbol
        self._channel = channel
        self._depth = depth
        self._shown: object = None
        self._shown_ms = 0

    def initial(self, view: View) -> list[bytes]:
        row = self._row(view)
        return [] if row is None else [message(self._channel, self._symbol, row)]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        if not on_grid or (row := self._row(view)) is None:
            return []
        state = (row["asks"], row["bids"])
        if state == self._shown and view.now_ms - self._shown_ms < _HEARTBEAT_MS:
            return []
        self._shown, self._shown_ms = state, view.now_ms
        return [message(self._channel, self._symbol, row)]

    def _row(self, view: View) -> dict[str, object] | None:
        found = book(view, self._symbol, self._depth)
        if found is None:
            return None
        instrument = view.instrument(self._symbol)
        row: dict[str, object] = {
            "asks": level_rows(instrument, found.asks.levels(self._depth)),
            "bids": level_rows(instrument, found.bids.levels(self._depth)),
            "ts": str(found.time_ms),
            "seqId": sequence(found.time_ms),
        }
        return {**row, "instId": self._symbol} if self._channel == "books5" else row


class BookFeed:
    """books: a snapshot for each subscriber, then one chain of changes for all."""

    def __init__(self, symbol: str, legacy_checksum: bool = False) -> None:
        self._symbol = symbol
        self._legacy_checksum = legacy_checksum
        self._book: Book | None = None
        self._instrument: Instrument | None = None
        self._sequence = -1
        self._pushed_ms = 0

    def initial(self, view: View) -> list[bytes]:
        if self._book is None:
            self._take(book(view, self._symbol), view)
        if self._book is None:
            return []
        instrument = view.instrument(self._symbol)
        sides = (self._book.asks.levels(DEPTH), self._book.bids.levels(DEPTH))
        asks, bids = (level_rows(instrument, side) for side in sides)
        return [self._message("snapshot", asks, bids, -1)]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        if not on_grid or self._book is None:
            return []
        previous, before = self._book, self._sequence
        fresh = book(view, self._symbol)
        if fresh is None or fresh.time_ms == previous.time_ms:
            return []
        instrument = view.instrument(self._symbol)
        asks = _changes(instrument, previous.asks, fresh.asks, 1)
        bids = _changes(instrument, previous.bids, fresh.bids, -1)
        if not asks and not bids:
            return self._heartbeat(view)
        self._take(fresh, view)
        return [self._message("update", asks, bids, before)]

    def _take(self, fresh: Book | None, view: View) -> None:
        if fresh is not None:
            self._book, self._pushed_ms = fresh, view.now_ms
            self._instrument = view.instrument(self._symbol)
            self._sequence = sequence(fresh.time_ms)

    def _checksum(self) -> int:
        if not self._legacy_checksum or self._book is None or self._instrument is None:
            return 0
        asks = level_rows(self._instrument, self._book.asks.levels(25))
        return checksum(asks, level_rows(self._instrument, self._book.bids.levels(25)))

    def _heartbeat(self, view: View) -> list[bytes]:
        if view.now_ms - self._pushed_ms < _HEARTBEAT_MS:
            return []
        self._pushed_ms = view.now_ms
        return [self._message("update", [], [], self._sequence)]

    def _message(self, action: str, asks: list[Row], bids: list[Row], previous: int) -> bytes:
        time_ms = self._book.time_ms if self._book else 0
        return msgspec.json.encode(
            {
                "arg": {"channel": "books", "instId": self._symbol},
                "action": action,
                "data": [
                    {
                        "asks": asks,
                        "bids": bids,
                        "ts": str(time_ms),
                        "checksum": self._checksum(),
                        "seqId": self._sequence,
                        "prevSeqId": previous,
                    }
                ],
            }
        )


def checksum(asks: list[Row], bids: list[Row]) -> int:
    """Return the signed CRC32 over the best 25 levels, as OKX had it until June 2026."""
    parts = [
        f"{row[0]}:{row[1]}"
        for rank in range(25)
        for side in (bids, asks)
        for row in side[rank : rank + 1]
    ]
    unsigned = crc32(":".join(parts).encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def _changes(instrument: Instrument, previous: Side, fresh: Side, direction: int) -> list[Row]:
    """Return the levels that are new, changed or gone, best first."""
    place, is_kept = _places(previous, fresh, direction)
    is_same = is_kept & (previous.lots[place] == fresh.lots)
    is_same &= previous.orders[place] == fresh.orders
    changed = Side(fresh.ticks[~is_same], fresh.lots[~is_same], fresh.orders[~is_same])
    _, stays = _places(fresh, previous, direction)
    gone = [Level(ticks, 0, 0) for ticks in previous.ticks[~stays].tolist()]
    levels = changed.levels(DEPTH) + gone
    return level_rows(instrument, sorted(levels, key=lambda row: direction * row.ticks))


def _places(among: Side, wanted: Side, direction: int) -> tuple[Integers, Flags]:
    """Return where the wanted prices stand among others, and whether they do."""
    place = np.searchsorted(direction * among.ticks, direction * wanted.ticks)
    place = np.minimum(place, len(among.ticks) - 1)
    return place, among.ticks[place] == wanted.ticks
