"""Everything that happens by the clock, in one table.

Beat writes it into its database when it starts, where staff may disable an entry. A message that
no worker took in time expires: the next one does the same.
"""

from __future__ import annotations

from typing import Any


def beat_schedule(sweep_s: int) -> dict[str, dict[str, Any]]:
    """Return what beat sends; schedules are in seconds."""
    return {
        "beat heartbeat": {
            "task": "common.beat_heartbeat",
            "schedule": 5,
            "options": {"queue": "ticks", "expire_seconds": 5},
        },
        "start collectors that nobody runs": {
            "task": "marketdata.sweep_collectors",
            "schedule": sweep_s,
            "options": {"queue": "ticks", "expire_seconds": 5},
        },
        "load history that is missing": {
            "task": "marketdata.sweep_histories",
            "schedule": 60,
            "options": {"queue": "ticks", "expire_seconds": 30},
        },
        "follow the exchange's list of instruments": {
            "task": "marketdata.sync_instruments",
            "schedule": 6 * 3600,
            "options": {"queue": "default", "expire_seconds": 3600},
        },
    }
