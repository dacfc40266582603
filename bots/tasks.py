"""Background tasks of bots. Each is a hint that may be lost: the sweep repeats it."""

from __future__ import annotations

from bots.publishing import tell_bots
from tcpdashboard.celery import app
from tcpdashboard.common.hints import EXPIRES_S, hint


@app.task(name="bots.tick")
def tick(instrument_id: int) -> None:
    """Do what is due for the bots of an instrument, until nothing is."""
    # Here, so that the web process, which only sends tasks, loads nothing of it.
    from bots.manager import BotManager

    is_more = True
    while is_more:
        stepped = BotManager().step(instrument_id)
        tell_bots(stepped.bots)
        is_more = stepped.is_more and bool(stepped.bots)


@app.task(name="bots.sweep")
def sweep() -> None:
    """Ask for the step of every instrument that has bots whose cursor moves."""
    from bots.storage.rows import due_instruments

    for instrument_id in due_instruments():
        tick.apply_async((instrument_id,), expires=EXPIRES_S)


@app.task(name="bots.sweep_limits")
def sweep_limits() -> None:
    """Judge the limits over all bots of each owner, and have done what they order."""
    from bots.risk import sweep_limits as sweep

    for instrument_id in sweep():
        hint(tick, instrument_id)


@app.task(name="bots.watch")
def watch() -> None:
    """See whether every bot gets on; start anew those that should."""
    from bots.watchdog import watch_bots

    for instrument_id in watch_bots():
        hint(tick, instrument_id)
