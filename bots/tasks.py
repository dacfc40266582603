"""Background tasks of bots. Each is a hint that may be lost: the sweep repeats it."""

from __future__ import annotations

import threading
from typing import Any, Final

import structlog
from celery import signals
from django.db import DatabaseError, connections

from bots.publishing import tell_bots
from tcpdashboard.celery import app
from tcpdashboard.common.hints import EXPIRES_S, hint

QUEUE: Final = "ticks"

log = structlog.get_logger(__name__)


@app.task(name="bots.tick")
def tick(instrument_id: int) -> None:
    """Do what is due for the bots of an instrument."""
    # Here, so that the web process, which only sends tasks, loads nothing of it.
    from bots.manager import BotManager

    tell_bots(BotManager().step(instrument_id).bots)


@app.task(name="bots.sweep")
def sweep() -> None:
    """Ask for the step of every instrument that has bots whose cursor moves."""
    from bots.storage.rows import due_instruments

    for instrument_id in due_instruments():
        tick.apply_async((instrument_id,), expires=EXPIRES_S)


@app.task(name="bots.sweep_limits")
def sweep_limits() -> None:
    """Judge the limits over all bots of each owner, and have done what they and people order."""
    from bots.risk import stop_ordered
    from bots.risk import sweep_limits as sweep

    for instrument_id in sweep() | stop_ordered():
        hint(tick, instrument_id)


@app.task(name="bots.watch")
def watch() -> None:
    """See whether every bot gets on; start anew those that should."""
    from bots.watchdog import watch_bots

    for instrument_id in watch_bots():
        hint(tick, instrument_id)


@app.task(name="bots.prove_ended")
def prove_ended() -> None:
    """Replay the runs that ended since."""
    from bots.models import ParityReport
    from bots.parity.running import ended_runs, prove

    prove(ended_runs(), ParityReport.Reason.ENDED)


@app.task(name="bots.prove_open")
def prove_open() -> None:
    """Replay every run that goes on, up to where it stands."""
    from bots.models import ParityReport
    from bots.parity.running import open_runs, prove

    prove(open_runs(), ParityReport.Reason.NIGHTLY)


@app.task(name="bots.reconcile")
def reconcile() -> None:
    """Hold the ledger of every bot against its fills and its account."""
    from bots.reconciling import reconcile as compare

    compare()


@app.task(name="bots.thin_performance")
def thin_performance() -> None:
    """Let go of what is not kept of old equity."""
    from bots.thinning import thin_performance as thin

    thin()


@app.task(name="bots.forget_groups")
def forget_groups() -> None:
    """Let go of what groups remember that no run decides by any more."""
    from bots.storage.groups import forget_groups as forget

    forget()


@signals.celeryd_init.connect
def _load_kernels(options: dict[str, Any], **_rest: Any) -> None:
    """Load the compiled code beside everything else, so that the first tick does not wait."""
    queues = options.get("queues") or ()
    if QUEUE in (queues.split(",") if isinstance(queues, str) else queues):
        threading.Thread(target=_warm, name="warm bots", daemon=True).start()


def _warm() -> None:
    from bots.models import Bot

    try:
        has_bots = Bot.objects.alive().exists()
    except DatabaseError as error:
        log.warning("bots_not_warmed", error=str(error))
        return
    finally:
        connections.close_all()
    if has_bots:
        from bots.domain.warming import warm_kernels
        from marketdata.domain.indicators import warm

        warm()
        warm_kernels()
