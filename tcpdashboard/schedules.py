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
}


def beat_schedule(sweep_s: int) -> dict[str, dict[str, Any]]:
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
        "load history that is missing": {
            "task": "marketdata.sweep_histories",
            "schedule": 20,
            "options": {"expire_seconds": 20},
        },
        "follow the exchange's list of instruments": {
            "task": "marketdata.sync_instruments",
            "schedule": 6 * 3600,
            "options": {"expire_seconds": 3600},
        },
    }
