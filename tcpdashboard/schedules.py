"""Which queue a task goes to, and everything that happens by the clock: one table each.

Beat writes its table into the database when it starts, where staff may disable an entry. A
message that no worker took in time expires: the next one does the same.
"""

from __future__ import annotations

from typing import Any, Final

# Long-lived collectors; what must never wait; everything else goes to `default`.
TASK_ROUTES: Final = {
    "marketdata.collect": {"queue": "collect"},
    "marketdata.sweep_*": {"queue": "ticks"},
    "common.beat_heartbeat": {"queue": "ticks"},
    "common.sweep_*": {"queue": "ticks"},
}


def beat_schedule(
    sweep_s: int, job_sweep_s: int = 3, repair_sweep_s: int = 5, scan_s: int = 60
) -> dict[str, dict[str, Any]]:
    """Return what beat sends; schedules are in seconds."""
    return {
        "beat heartbeat": {
            "task": "common.beat_heartbeat",
            "schedule": 5,
            "options": {"expire_seconds": 5},
        },
        "start collectors that nobody runs": {
            "task": "marketdata.sweep_collectors",
            "schedule": sweep_s,
            "options": {"expire_seconds": 5},
        },
        "start jobs that nobody does": {
            "task": "common.sweep_jobs",
            "schedule": job_sweep_s,
            "options": {"expire_seconds": 5},
        },
        "forget jobs that ended long ago": {
            "task": "common.prune_jobs",
            "schedule": 24 * 3600,
            "options": {"expire_seconds": 3600},
        },
        "load history that is missing": {
            "task": "marketdata.sweep_histories",
            "schedule": 20,
            "options": {"expire_seconds": 20},
        },
        "repair gaps that are due": {
            "task": "marketdata.repair_gaps",
            "schedule": repair_sweep_s,
            "options": {"expire_seconds": 5},
        },
        "look through the store for gaps": {
            "task": "marketdata.scan_gaps",
            "schedule": scan_s,
            "options": {"expire_seconds": 60},
        },
        "compare candles with the exchange's": {
            "task": "marketdata.verify_minutes",
            "schedule": 60,
            "options": {"expire_seconds": 50},
        },
        "make tables for the next days' raw messages": {
            "task": "marketdata.prepare_partitions",
            "schedule": 6 * 3600,
            "options": {"expire_seconds": 3600},
        },
        "take away what was kept long enough": {
            "task": "marketdata.enforce_retention",
            "schedule": 3600,
            "options": {"expire_seconds": 1800},
        },
        "follow the exchange's list of instruments": {
            "task": "marketdata.sync_instruments",
            "schedule": 6 * 3600,
            "options": {"expire_seconds": 3600},
        },
    }
