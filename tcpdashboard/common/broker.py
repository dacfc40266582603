"""What Redis says about the background: whether it answers, how long queues are, how beat is."""

from __future__ import annotations

import time
from typing import Final

import redis
from django.conf import settings

QUEUES: Final = ("collect", "ticks", "repair", "default", "backtests")
TIMEOUT_S: Final = 1.0

_BEAT_KEY: Final = "health:beat"


def open_redis() -> redis.Redis:
    """Return a client that gives up after a second; close it, best by `with`."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
    )


def check_broker() -> str:
    """Return why the broker cannot be used; empty when it can."""
    try:
        with open_redis() as client:
            client.ping()
    except redis.RedisError as error:
        return f"Redis does not answer: {error}"
    return ""


def note_beat() -> None:
    """Write that a task which beat sent was run just now. Raises RedisError."""
    with open_redis() as client:
        client.set(_BEAT_KEY, time.time())


def beat_age_s() -> float | None:
    """Return the seconds since beat's last run task; None when there was none yet."""
    with open_redis() as client:
        noted = client.get(_BEAT_KEY)
    return None if noted is None else max(0.0, round(time.time() - float(noted), 1))


def queue_depths() -> dict[str, int]:
    """Return how many messages wait in each queue. Raises RedisError."""
    with open_redis() as client:
        return {queue: client.llen(queue) for queue in QUEUES}
