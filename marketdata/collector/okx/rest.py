"""OKX's REST history: retried, within the limits, always ascending, never a running candle."""

from __future__ import annotations

import asyncio
import email.utils
import random
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.errors import ExchangeRefused, ExchangeUnavailable
from marketdata.collector.limits import LocalLimiter
from marketdata.collector.okx.constants import (
    CANDLES_PAGE,
    PRODUCTION,
    RATE_WINDOW_S,
    RATES,
    TRADES_PAGE,
    Endpoints,
    may_work_later,
)
from marketdata.collector.okx.rest_parsing import (
    parse_candles,
    parse_envelope,
    parse_instruments,
    parse_rows,
    parse_server_time,
    parse_trades,
)
from marketdata.collector.ports import InstrumentInfo, Limiter
from marketdata.domain.records import Candles, Trades
from marketdata.domain.timeframe import MINUTE_MS

TIME: Final = "/api/v5/public/time"
INSTRUMENTS: Final = "/api/v5/public/instruments"
CANDLES: Final = "/api/v5/market/candles"
HISTORY_CANDLES: Final = "/api/v5/market/history-candles"
LAST_TRADES: Final = "/api/v5/market/trades"
HISTORY_TRADES: Final = "/api/v5/market/history-trades"
SYSTEM_STATUS: Final = "/api/v5/system/status"

INSTRUMENT_TYPES: Final = {"spot": "SPOT", "swap": "SWAP"}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_limiters: dict[str, LocalLimiter] = {}


def shared_limiter(endpoints: Endpoints) -> LocalLimiter:
    """Return the process's limiter for an exchange's REST host: OKX counts by IP."""
    return _limiters.setdefault(endpoints.rest, LocalLimiter(RATES, RATE_WINDOW_S))


def is_loopback(url: str) -> bool:
    """Whether `url` points at this machine, which no proxy must get in between."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def tls_context(endpoints: Endpoints) -> ssl.SSLContext:
    """Return a context that trusts the exchange's own authority, or the system's."""
    return ssl.create_default_context(cafile=endpoints.ca_file)


class OKXHistory:
    """The History port over REST. Use it in one asyncio loop and close it there.

    Every request is tried `attempts` times over about half a minute before ExchangeUnavailable.
    """

    def __init__(
        self,
        endpoints: Endpoints = PRODUCTION,
        limiter: Limiter | None = None,
        *,
        attempts: int = 7,
        timeout_s: float = 10.0,
        backoff_base_s: float = 0.25,
        backoff_cap_s: float = 8.0,
    ) -> None:
        self._limiter = limiter or shared_limiter(endpoints)
        self._attempts = attempts
        self._backoff_s = (backoff_base_s, backoff_cap_s)
        self._client = httpx.AsyncClient(
            base_url=endpoints.rest,
            timeout=timeout_s,
            verify=tls_context(endpoints),
            trust_env=not is_loopback(endpoints.rest),
            headers={"User-Agent": "TCPDashboard"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def server_time_ms(self) -> int:
        """Return the exchange's clock."""
        return parse_server_time(await self._get(TIME, {}))

    async def instruments(self, kind: str) -> list[InstrumentInfo]:
        """Return the listed instruments of a kind: spot or swap (linear ones only)."""
        if kind not in INSTRUMENT_TYPES:
            choices = ", ".join(INSTRUMENT_TYPES)
            raise ExchangeRefused(f"expected a kind of {choices}; was {kind!r}")
        return parse_instruments(await self._get(INSTRUMENTS, {"instType": INSTRUMENT_TYPES[kind]}))

    async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
        """Return one page of single matches older than `before_id` (newest for None), ascending.

        An empty page may be a stale cache: it proves nothing by itself.
        """
        if before_id is None:
            return parse_trades(await self._get(LAST_TRADES, {"instId": symbol, "limit": "500"}))
        query = {
            "instId": symbol,
            "type": "1",  # page by trade id
            "after": str(before_id),  # `after` means older, exclusive
            "limit": str(TRADES_PAGE),
        }
        trades = parse_trades(await self._get(HISTORY_TRADES, query))
        return trades[trades["trade_id"] < before_id]

    async def trades_until(self, symbol: str, end_ms: int) -> Trades:
        """Return one page of the newest single matches executed before `end_ms`, ascending.

        OKX keeps about three months of them. A stale cache may leave out the newest ones.
        """
        query = {
            "instId": symbol,
            "type": "2",  # page by time, which knows `after` only
            "after": str(end_ms),  # `after` means older, exclusive
            "limit": str(TRADES_PAGE),
        }
        trades = parse_trades(await self._get(HISTORY_TRADES, query))
        return trades[trades["time_ms"] < end_ms]

    async def candles_before(self, symbol: str, before_ms: int | None) -> Candles:
        """Return one page of closed 1m candles older than `before_ms`, ascending, source EXCHANGE.

        history-candles lags behind by minutes and candles ends after 1,440 rows: when the page
        of one does not reach up to `before_ms`, the other is asked too.
        """
        if before_ms is None:
            return await self._candles(CANDLES, symbol, None)
        older = await self._candles(HISTORY_CANDLES, symbol, before_ms)
        if len(older) and older["open_time_ms"][-1] == before_ms - MINUTE_MS:
            return older
        newer = await self._candles(CANDLES, symbol, before_ms)
        if not len(older) or not len(newer):
            return newer if len(newer) else older
        return newer if newer["open_time_ms"][-1] > older["open_time_ms"][-1] else older

    async def announcements(self) -> list[bytes]:
        """Return what is announced of maintenance, scheduled or going on, as OKX wrote it."""
        return parse_rows(await self._get(SYSTEM_STATUS, {}))

    async def _candles(self, endpoint: str, symbol: str, before_ms: int | None) -> Candles:
        query = {"instId": symbol, "bar": "1m", "limit": str(CANDLES_PAGE)}
        if before_ms is not None:
            query["after"] = str(before_ms)
        candles = parse_candles(symbol, await self._get(endpoint, query))
        return candles if before_ms is None else candles[candles["open_time_ms"] < before_ms]

    async def _get(self, endpoint: str, query: Mapping[str, str]) -> msgspec.Raw:
        """Return the data of a good answer, trying again while the exchange is only busy."""
        backoff = Backoff(*self._backoff_s)
        for attempt in range(1, self._attempts + 1):
            await self._limiter.acquire(endpoint)
            try:
                return await self._get_once(endpoint, query)
            except _Busy as busy:
                if attempt == self._attempts:
                    raise ExchangeUnavailable(f"{endpoint}: {busy}") from busy
                delay = max(backoff.next_delay_s(), busy.retry_after_s)
                log.debug("request retried", endpoint=endpoint, reason=str(busy), delay_s=delay)
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _get_once(self, endpoint: str, query: Mapping[str, str]) -> msgspec.Raw:
        try:
            answer = await self._client.get(endpoint, params=dict(query))
        except httpx.HTTPError as error:
            raise _Busy(f"{type(error).__name__}: {error}") from error
        envelope = parse_envelope(answer.content)
        if envelope is None or answer.status_code >= 500 or answer.status_code == 429:
            raise _Busy(f"HTTP {answer.status_code}", _retry_after_s(answer))
        if may_work_later(envelope.code):
            raise _Busy(f"code {envelope.code} {envelope.message}", _retry_after_s(answer))
        if envelope.code != "0":
            raise ExchangeRefused(f"{endpoint}: code {envelope.code} {envelope.message}")
        if envelope.data is None:
            raise _Busy("an answer without data")
        return envelope.data


class _Busy(Exception):
    """The same request may work a moment later."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def _retry_after_s(answer: httpx.Response) -> float:
    """Return the wait a Retry-After header asks for, at most a minute; 0 without one."""
    text: Any = answer.headers.get("Retry-After")
    if not text:
        return 0.0
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return 0.0
    # A little more for each client, so that they do not all come back in the same instant.
    return min(60.0, max(0.0, wait)) + random.uniform(0, 0.25)  # noqa: S311
