"""One limit on requests to an exchange, shared by every process through Redis.

Exchanges count by address, so all workers together must stay below the limit. Live collection
comes first: bulk work (history, repairs, backfills) gets a share of the rate, and none of it
while live requests wait.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketdata.collector.limits import Bucket, LocalLimiter, even_bucket
from marketdata.collector.ports import Limiter

TIMEOUT_S: Final = 1.0
AWAY_S: Final = 5.0
"""So long Redis is not asked again after it did not answer."""

BULK_SHARE: Final = 0.8
LONGEST_WAIT_S: Final = 600
"""A bucket that claims to be full later than this was written by a clock that has gone back."""

KEPT_MS: Final = 60_000

# Buckets hold the time at which they are full again, in microseconds of Redis' own clock.
# A live request always gets its turn, at worst a later one. A bulk request first waits for a turn
# among the bulk ones (ARGV[4] = 1 once it has it), then for a moment in which no turn is owed to
# anybody: so live requests never stand behind it. Answers {taken, microseconds to wait}.
_TAKE: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local share, has_turn = tonumber(ARGV[3]), ARGV[4] == '1'
local longest, kept = tonumber(ARGV[5]), tonumber(ARGV[6])

local function full_at(key)
    local stored = tonumber(redis.call('GET', key) or '0')
    if stored > now + longest then stored = now end
    return math.max(now, stored)
end
local function write(key, at)
    local alive = math.ceil((at - now) / 1000) + kept
    redis.call('SET', key, string.format('%.0f', at), 'PX', string.format('%.0f', alive))
end

local shared = full_at(KEYS[1]) + interval
local wait = math.max(0, shared - now - burst)
if share <= 0 then
    write(KEYS[1], shared)
    return {1, math.ceil(wait)}
end
if not has_turn then
    local bulk = full_at(KEYS[2]) + interval / share
    write(KEYS[2], bulk)
    local turn = bulk - now - math.max(burst * share, interval / share)
    if turn > 0 then return {0, math.ceil(turn)} end
end
if wait > 0 then return {0, math.ceil(wait)} end
write(KEYS[1], shared)
return {1, 0}
"""

log = structlog.get_logger(__name__)


class Urgency(StrEnum):
    """How much a request matters."""

    LIVE = "live"
    BULK = "bulk"


# Of the rate, for each process that is on its own while Redis is away: two of them, the usual
# number, stay below the limit together.
_ALONE: Final = {Urgency.LIVE: 0.3, Urgency.BULK: 0.2}


def shared_limiter(
    host: str, rates: Mapping[str, float], window_s: float, urgency: Urgency
) -> SharedLimiter:
    """Return a limiter of `rates` requests to each endpoint of `host` in any `window_s` seconds."""
    return SharedLimiter(
        limits_redis(),
        host,
        {endpoint: even_bucket(rate, window_s) for endpoint, rate in rates.items()},
        urgency,
        LocalLimiter(
            {endpoint: rate * _ALONE[urgency] for endpoint, rate in rates.items()}, window_s
        ),
    )


class SharedLimiter:
    """A bucket of tokens for each endpoint of one host; implements `ports.Limiter`.

    `buckets` are those of the exchange's limits; endpoints not listed are not limited. While Redis
    does not answer, `fallback` decides. One object may be used by several asyncio loops at once.
    """

    def __init__(
        self,
        redis: Redis,
        host: str,
        buckets: Mapping[str, Bucket],
        urgency: Urgency,
        fallback: Limiter,
    ) -> None:
        self._take_script = redis.register_script(_TAKE)
        self._host, self._buckets, self._fallback = host, dict(buckets), fallback
        self._share = BULK_SHARE if urgency is Urgency.BULK else 0.0
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._is_away = False

    async def acquire(self, endpoint: str) -> None:
        """Return when one request to `endpoint` may be sent."""
        bucket = self._buckets.get(endpoint)
        if bucket is not None and not await self._acquire_shared(endpoint, bucket):
            await self._fallback.acquire(endpoint)

    async def _acquire_shared(self, endpoint: str, bucket: Bucket) -> bool:
        """Wait for a token; False when Redis is away."""
        is_taken = has_turn = False
        while not is_taken:
            if time.monotonic() < self._away_until:
                return False
            try:
                # In a thread: Redis may not answer, and this loop has sockets to read.
                is_taken, wait_s = await asyncio.to_thread(self.take, endpoint, bucket, has_turn)
            except RedisError as error:
                self._note_away(error)
                return False
            self._note_back()
            has_turn = True
            await asyncio.sleep(wait_s)
        return True

    def take(self, endpoint: str, bucket: Bucket, has_turn: bool) -> tuple[bool, float]:
        """Return whether a token was taken, and how many seconds to wait for it or for a turn.

        `has_turn` is for a bulk request that has waited for its turn. Raises RedisError.
        """
        key = f"limit:{{{self._host}}}:{endpoint}"
        is_taken, wait_us = self._take_script(
            keys=[key, f"{key}:bulk"],
            args=[
                round(bucket.interval_s * 1e6),
                round(bucket.burst_s * 1e6),
                self._share,
                int(has_turn),
                round(LONGEST_WAIT_S * 1e6),
                KEPT_MS,
            ],
        )
        return bool(is_taken), wait_us / 1e6

    def _note_away(self, error: RedisError) -> None:
        with self._lock:
            self._away_until = time.monotonic() + AWAY_S
            is_new, self._is_away = not self._is_away, True
        if is_new:
            log.warning("limit_kept_by_this_process_alone", host=self._host, error=str(error))

    def _note_back(self) -> None:
        with self._lock:
            was_away, self._is_away = self._is_away, False
        if was_away:
            log.info("limit_shared_again", host=self._host)


@cache
def limits_redis() -> Redis:
    """Return this process's client; it gives up after a second and tries nothing twice."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
