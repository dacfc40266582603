"""What a channel pushes: at a subscription, and as the exchange's clock moves on."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
import numpy as np

from marketdata.simulator.books import best_levels, sequence
from marketdata.simulator.matches import Matches
from marketdata.simulator.statistics import ticker
from marketdata.simulator.view import View

_ROW_MATCHES: Final = 100
"""The newest matches among which the last aggregated row is found."""


class Feed(Protocol):
    """The pushes of one channel and instrument; every method returns whole messages."""

    def initial(self, view: View) -> list[bytes]:
        """Return what a new subscriber gets at once."""
        ...

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        """Return what happened in after_ms < time <= view.now_ms.

        `on_grid` is true about ten times a second of exchange time, for conflated channels; once
        a second where very many instruments are listed.
        """
        ...


class AllTradesFeed:
    """trades-all: one match a push."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol

    def initial(self, view: View) -> list[bytes]:
        return []

    def last(self, view: View) -> list[bytes]:
        """Return the push of the last trade."""
        return self.messages(view, view.last_match(self._symbol))

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        matches = view.market.matches(self._symbol, after_ms, view.now_ms)
        return self.messages(view, matches) if len(matches) else []

    def messages(self, view: View, matches: Matches) -> list[bytes]:
        instrument, symbol = view.instrument(self._symbol), self._symbol
        head = (
            f'{{"arg":{{"channel":"trades-all","instId":"{symbol}"}},"data":[{{"instId":"{symbol}"'
        )
        price, size = instrument.price, instrument.size
        return [
            (
                f'{head},"tradeId":"{trade_id}","px":"{price(ticks)}","sz":"{size(lots)}",'
                f'"side":"{"buy" if buy else "sell"}","source":"{1 if elp else 0}","ts":"{ts}"}}]}}'
            ).encode()
            for trade_id, ts, ticks, lots, buy, elp in _columns(matches)
        ]


class TradesFeed:
    """trades: matches of one taker order at one price in one row; the last one at once."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol

    def initial(self, view: View) -> list[bytes]:
        return self.last(view)

    def last(self, view: View) -> list[bytes]:
        """Return the push of the last row."""
        return self.messages(view, view.newest_matches(self._symbol, _ROW_MATCHES))[-1:]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        matches = view.market.matches(self._symbol, after_ms, view.now_ms)
        return self.messages(view, matches) if len(matches) else []

    def messages(self, view: View, matches: Matches) -> list[bytes]:
        instrument, symbol = view.instrument(self._symbol), self._symbol
        head = f'{{"arg":{{"channel":"trades","instId":"{symbol}"}},"data":[{{"instId":"{symbol}"'
        return [
            (
                f'{head},"tradeId":"{trade_id}","px":"{instrument.price(ticks)}",'
                f'"sz":"{instrument.size(lots)}","side":"{"buy" if buy else "sell"}","ts":"{ts}",'
                f'"count":"{count}","source":"{1 if elp else 0}","seqId":{sequence(ts)}}}]}}'
            ).encode()
            for (trade_id, ts, ticks, _, buy, elp), lots, count in _merged(matches)
        ]


def _columns(matches: Matches) -> zip[tuple[int, int, int, int, bool, bool]]:
    return zip(
        matches.ids.tolist(),
        matches.times.tolist(),
        matches.ticks.tolist(),
        matches.lots.tolist(),
        matches.buys.tolist(),
        matches.elp.tolist(),
        strict=True,
    )


def _merged(
    matches: Matches,
) -> list[tuple[tuple[int, int, int, int, bool, bool], int, int]]:
    """Return for each aggregated row its last match, the lots and the number of matches."""
    if not len(matches):
        return []
    starts = matches.starts.copy()
    starts[0] = True
    firsts = np.flatnonzero(starts)
    ends = np.append(firsts[1:], len(matches))
    lots = np.add.reduceat(matches.lots, firsts).tolist()
    columns = list(_columns(matches))
    return [
        (columns[end - 1], total, end - first)
        for first, end, total in zip(firsts.tolist(), ends.tolist(), lots, strict=True)
    ]


class TickerFeed:
    """tickers: after a trade or a change of the best prices, at most ten times a second."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._last: tuple[object, ...] = ()

    def initial(self, view: View) -> list[bytes]:
        row = ticker(view, self._symbol)
        return [] if row is None else [message("tickers", self._symbol, row)]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        if not on_grid:
            return []
        last = view.market.last_id(self._symbol, view.now_ms)
        state = (last, best_levels(view, self._symbol))
        if state == self._last:
            return []
        self._last = state
        return self.initial(view)


def message(channel: str, symbol: str, row: object) -> bytes:
    """Return a push of one row."""
    return msgspec.json.encode({"arg": {"channel": channel, "instId": symbol}, "data": [row]})
