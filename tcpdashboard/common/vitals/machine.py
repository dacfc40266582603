"""What Redis, the workers and the disk say of themselves."""

from __future__ import annotations

import shutil
from typing import Any, Final

from django.conf import settings

from tcpdashboard.celery import app
from tcpdashboard.common.broker import beat_age_s, open_redis, queue_depths

_WORKERS_ANSWER_S: Final = 0.7


def redis_vitals() -> dict[str, Any]:
    """Return memory in bytes (`max_bytes` 0: unbounded), clients and load. Raises RedisError."""
    with open_redis() as client:
        info: dict[str, Any] = client.info()
    return {
        "version": str(info.get("valkey_version") or info["redis_version"]),
        "bytes": info["used_memory"],
        "peak_bytes": info["used_memory_peak"],
        "max_bytes": info.get("maxmemory", 0),
        "clients": info["connected_clients"],
        "operations_s": info["instantaneous_ops_per_sec"],
        "evicted": info.get("evicted_keys", 0),
    }


def queue_vitals() -> dict[str, Any]:
    """Return the messages waiting in each queue and beat's age in seconds. Raises RedisError."""
    return {"depths": queue_depths(), "beat_age_s": beat_age_s()}


def worker_vitals() -> list[dict[str, Any]]:
    """Return the workers that answer at once; takes as long as they are given to answer."""
    found = app.control.inspect(timeout=_WORKERS_ANSWER_S).stats() or {}
    return [
        {
            "name": name.partition("@")[0],
            "host": name.partition("@")[2],
            "uptime_s": stats.get("uptime"),
            "concurrency": (stats.get("pool") or {}).get("max-concurrency"),
            "tasks": sum((stats.get("total") or {}).values()),
        }
        for name, stats in sorted(found.items())
    ]


def disk_vitals() -> dict[str, int]:
    """Return the bytes of the disk that the var folder is on. Raises OSError."""
    usage = shutil.disk_usage(settings.VAR_DIR)
    return {"bytes": usage.total, "free_bytes": usage.free}
