"""Background tasks of bots. Each is a hint that may be lost: the sweeps repeat it."""

from __future__ import annotations

from celery import shared_task

from tcpdashboard.common.hints import hint


@shared_task(name="bots.tick")
def tick(instrument_id: int) -> None:
    """Bring the bots of an instrument as far as its minutes are stored."""
    # Here, so that the web process, which only sends tasks, loads no kernel.
    from bots.manager import BotManager

    BotManager().step(instrument_id)


@shared_task(name="bots.sweep_limits")
def sweep_limits() -> None:
    """Judge the limits over all bots of each owner."""
    from bots.risk import sweep_limits as sweep

    for instrument_id in sweep():
        hint(tick, instrument_id)
