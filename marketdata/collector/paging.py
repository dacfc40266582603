"""Walking back through the exchange's history, page by page, in spite of its caches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from marketdata.collector.backoff import Backoff
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.ports import History
from marketdata.domain.records import Candles, Trades
from marketdata.domain.timeframe import MINUTE_MS

STALE_ANSWERS: Final = 6
"""Answers in a row that end before what was asked for, until that is believed not to exist.

OKX serves history from several caches picked at random: one empty or short answer proves nothing.
"""

PAUSES_S: Final = (0.25, 8.0)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def trades_back(
    history: History, symbol: str, last_id: int, *, is_patient: bool = True
) -> AsyncIterator[Trades]:
    """Yield pages of trades, newest page first, from `last_id` back without an end.

    Every page ends right before the one yielded before it, unless the exchange kept leaving ids
    out. Ends when there is nothing older. Waits for as long as the exchange is unavailable.
    """
    before_id = last_id + 1
    while before_id > 1:
        page = await _connected(
            partial(history.trades_before, symbol, before_id),
            "trade_id",
            before_id - 1,
            is_patient=is_patient,
        )
        if not len(page):
            return
        yield page
        before_id = int(page["trade_id"][0] - page["count"][0] + 1)


async def candles_back(
    history: History, symbol: str, before_ms: int, *, is_patient: bool = True
) -> AsyncIterator[Candles]:
    """Yield pages of closed 1m candles, newest page first, from the minute before `before_ms`.

    Like `trades_back` in everything else.
    """
    while True:
        page = await _connected(
            partial(history.candles_before, symbol, before_ms),
            "open_time_ms",
            before_ms - MINUTE_MS,
            is_patient=is_patient,
        )
        if not len(page):
            return
        yield page
        before_ms = int(page["open_time_ms"][0])


async def _connected(
    ask: Callable[[], Awaitable[NDArray[np.void]]], column: str, newest: int, *, is_patient: bool
) -> NDArray[np.void]:
    """Ask until the answer ends with `newest`, or an answer that does not came too often."""
    backoff = Backoff(*PAUSES_S)
    stale = 0
    while True:
        try:
            page = await ask()
        except ExchangeUnavailable as error:
            if not is_patient:
                raise
            log.warning("history unavailable", error=str(error))
        else:
            stale += 1
            if (len(page) and page[column][-1] == newest) or stale >= STALE_ANSWERS:
                return page
        await asyncio.sleep(backoff.next_delay_s())
