"""What a worker of backtests does beside its jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from celery import signals

from backtests.storage.artefacts import remove_orphans as remove
from tcpdashboard.celery import app

QUEUE: Final = "backtests"
ORPHANED: Final = timedelta(days=1)


@app.task(name="backtests.remove_orphans")
def remove_orphans() -> int:
    """Remove files of results that no backtest names any more."""
    return remove(ORPHANED)


@signals.celeryd_init.connect
def _load_kernels(options: dict[str, Any], **_rest: Any) -> None:
    """Load the compiled code before the worker forks: its processes share it."""
    queues = options.get("queues") or ()
    if QUEUE not in (queues.split(",") if isinstance(queues, str) else queues):
        return
    from backtests.domain.warming import warm_kernels
    from marketdata.domain.indicators import warm
    from strategies.domain.warming import warm_kernels as warm_comparing

    warm()
    warm_comparing()
    warm_kernels()
