"""Which queue a task goes to, and everything that happens by the clock: one table each.

Beat writes its table into the database when it starts, where staff may disable an entry. A
message that no worker took in time expires: the next one does the same.
"""

from __future__ import annotations

from typing import Any, Final

# Long-lived collectors; what must never wait; what keeps the store whole, which history and
# backfills must not hold up for hours; everything else goes to `default`.
TASK_ROUTES: Final = {
    "marketdata.collect": {"queue": "collect"},
    "marketdata.sweep_*": {"queue": "ticks"},
    "marketdata.repair_gaps": {"queue": "repair"},
    "marketdata.scan_gaps": {"queue": "repair"},
    "marketdata.verify_minutes": {"queue": "repair"},
    "marketdata.enforce_retention": {"queue": "repair"},
    "marketdata.prepare_partitions": {"queue": "repair"},
    "marketdata.tell_vitals": {"queue": "ticks"},
    "bots.tick": {"queue": "ticks"},
    "bots.sweep*": {"queue": "ticks"},
    "common.beat_heartbeat": {"queue": "ticks"},
    "common.sweep_*": {"queue": "ticks"},
    # Not on the queues of what it watches and tells of: a dead worker must not silence them.
    "common.deliver_alerts": {"queue": "repair"},
    "bots.watch": {"queue": "repair"},
}


def beat_schedule(
    sweep_s: int, job_sweep_s: int = 3, repair_sweep_s: int = 5, scan_s: int = 60
) -> dict[str, dict[str, Any]]:
    """Return what beat sends; schedules are in seconds."""
    day_s, hour_s = 24 * 3600, 3600
    # What it is for, the task, how often it is sent, and after how long nobody wants it any more.
    table = (
        ("beat heartbeat", "common.beat_heartbeat", 5, 5),
        ("start collectors that nobody runs", "marketdata.sweep_collectors", sweep_s, 5),
        ("tell how everything is, while somebody looks", "marketdata.tell_vitals", 5, 5),
        ("start jobs that nobody does", "common.sweep_jobs", job_sweep_s, 5),
        ("tell alerts through people's channels", "common.deliver_alerts", 3, 3),
        ("watch whether bots get on", "bots.watch", 5, 5),
        ("judge the limits of owners of bots", "bots.sweep_limits", 3, 3),
        ("forget jobs that ended long ago", "common.prune_jobs", day_s, hour_s),
        ("step the bots of lost messages", "bots.sweep", 3, 3),
        ("replay runs that ended", "bots.prove_ended", 20, 20),
        ("replay runs that go on", "bots.prove_open", day_s, hour_s),
        ("hold ledgers against accounts", "bots.reconcile", day_s, hour_s),
        ("thin the equity of bots", "bots.thin_performance", day_s, hour_s),
        ("forget groups of bots that are gone", "bots.forget_groups", day_s, hour_s),
        ("remove results that nothing names", "backtests.remove_orphans", hour_s, 1800),
        ("load history that is missing", "marketdata.sweep_histories", 20, 20),
        ("repair gaps that are due", "marketdata.repair_gaps", repair_sweep_s, 5),
        ("look through the store for gaps", "marketdata.scan_gaps", scan_s, 60),
        ("compare candles with the exchange's", "marketdata.verify_minutes", 60, 50),
        ("make tables for the next days", "marketdata.prepare_partitions", 6 * hour_s, hour_s),
        ("take away what was kept long enough", "marketdata.enforce_retention", hour_s, 1800),
        (
            "follow the exchange's list of instruments",
            "marketdata.sync_instruments",
            6 * hour_s,
            hour_s,
        ),
    )
    return {
        name: {"task": task, "schedule": every_s, "options": {"expire_seconds": expires_s}}
        for name, task, every_s, expires_s in table
    }
