"""The whole installation's health, as the System page shows it and topic `health` tells it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from celery.exceptions import CeleryError
from django.db import DatabaseError
from kombu.exceptions import KombuError
from redis import RedisError

from marketdata.models import Collector, to_ms
from marketdata.publishing import HEALTH_TOPIC, publish_health
from marketdata.supervision.reporting import channel_states
from marketdata.supervision.restarts import recent_restarts
from tcpdashboard.common.broker import open_redis
from tcpdashboard.common.realtime import channel_of, database_of, shared_publisher
from tcpdashboard.common.simulated import is_simulated
from tcpdashboard.common.vitals.database import database_vitals
from tcpdashboard.common.vitals.machine import (
    disk_vitals,
    queue_vitals,
    redis_vitals,
    worker_vitals,
)

FRESH_MS: Final = 15_000
"""A message that is older tells a page less than asking does."""

_FAULTS: Final = (DatabaseError, RedisError, KombuError, CeleryError, OSError)
_GOOD: Final = frozenset({"live", "silent"})


def tell_vitals(*, is_asked_for: bool = False) -> bool:
    """Publish the health if anybody follows it or asks for it; return whether it was."""
    if not is_asked_for and not _is_followed():
        return False
    return publish_health(vitals(last_told()))


def vitals(before: Mapping[str, Any] | None = None, *, workers: bool = True) -> dict[str, Any]:
    """Return every part; one that cannot be read is {"error": why}.

    `before` is an earlier answer, from which rates are counted. Asking the workers takes most of
    a second: a page that is being made leaves them out.
    """
    parts: dict[str, Callable[[], Any]] = {
        "collectors": lambda: collector_vitals(before or {}),
        "queues": queue_vitals,
        "database": database_vitals,
        "redis": redis_vitals,
        "disk": disk_vitals,
    }
    if workers:
        parts["workers"] = worker_vitals
    known = {"at_ms": _now_ms(), "workers": (before or {}).get("workers")}
    return known | {name: _part(read) for name, read in parts.items()}


def last_told() -> dict[str, Any] | None:
    """Return what was told last; None when nothing was, or Redis does not answer."""
    try:
        kept = shared_publisher().latest(HEALTH_TOPIC)
    except RedisError:
        return None
    if kept is None:
        return None
    told: dict[str, Any] = orjson.loads(kept.payload).get("health", {})
    return told


def collector_vitals(before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what every collector last said of itself, with rates since `before`."""
    earlier = before.get("collectors")
    known = {row["name"]: row for row in earlier} if isinstance(earlier, list) else {}
    restarts = recent_restarts()
    return [
        _collector(row, restarts.get(row.pk, 0), known.get(row.name))
        for row in Collector.objects.all()
    ]


def _collector(row: Collector, restarts: int, before: Mapping[str, Any] | None) -> dict[str, Any]:
    counters = row.counters
    heartbeat_ms = None if row.heartbeat_at is None else to_ms(row.heartbeat_at)
    connected, channels = counters.get("connected") or {}, counters.get("channels") or {}
    common = counters.get("common") or {}
    states = channel_states(row.channels) + [channel["state"] for channel in common.values()]
    found = {
        "name": row.name,
        "exchange": row.exchange,
        "is_simulated": is_simulated(row.exchange),
        "desired": row.desired,
        "state": row.state,
        "health": row.health,
        "heartbeat_ms": heartbeat_ms,
        "exchange_ms": None if row.exchange_time is None else to_ms(row.exchange_time),
        "restarts_last_hour": restarts,
        "last_error": row.last_error,
        "sockets": [
            {"name": name, "is_live": bool(is_live), "channels": channels.get(name, 0)}
            for name, is_live in connected.items()
        ],
        "channels": {state: states.count(state) for state in sorted(set(states))},
        "troubled": _troubled({row.exchange: {"channels": common}, **row.channels}),
        "messages": counters.get("messages", 0),
        "told_ms": counters.get("told_ms"),
        "lag": counters.get("lag") or {},
        "waiting_trades": counters.get("waiting_trades", 0),
        "holes": counters.get("holes", 0),
        "bad": counters.get("bad", 0),
        "reconnects": counters.get("reconnects", 0),
        "raw": counters.get("raw") or {},
    }
    return found | {"messages_s": _rate(found, before)}


def _troubled(channels: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the channels that are not as they should be, a few of them."""
    found = [
        {"symbol": symbol, "channel": name, "state": channel["state"]}
        for symbol, instrument in channels.items()
        for name, channel in instrument["channels"].items()
        if channel["state"] not in _GOOD
    ]
    return found[:20]


def _rate(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> float | None:
    """Return the messages a second since `before`; as told before until it tells anew."""
    if before is None or row["told_ms"] is None or before.get("told_ms") is None:
        return None
    passed_ms = row["told_ms"] - before["told_ms"]
    arrived = row["messages"] - before.get("messages", 0)
    if passed_ms <= 0:
        kept: float | None = before.get("messages_s")
        return kept
    # A collector that was started anew counts from nothing.
    return round(arrived * 1000 / passed_ms, 2) if arrived >= 0 else None


def _is_followed() -> bool:
    try:
        with open_redis() as client:
            database = database_of(client.connection_pool.connection_kwargs)
            ((_, followers),) = client.pubsub_numsub(channel_of(HEALTH_TOPIC, database))
    except RedisError:
        return False
    return int(followers) > 0


def _part(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except _FAULTS as error:
        return {"error": str(error).partition("\n")[0] or type(error).__name__}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
