"""What people and commands may ask of market data: enable, disable, start, stop, restart."""

from __future__ import annotations

import structlog
from django.db import transaction
from django.db.models.functions import Now

from marketdata import tasks
from marketdata.models import Collector, Instrument

log = structlog.get_logger(__name__)


def ensure_default_collector(exchange: str) -> Collector:
    """Return the collector that enabled instruments of `exchange` are given to."""
    return Collector.objects.get_or_create(name=exchange, defaults={"exchange": exchange})[0]


def enable_instrument(instrument: Instrument) -> None:
    """Collect `instrument` live and load its history; both begin within seconds.

    An instrument that is enabled already is left as it is.
    """
    with transaction.atomic():
        collector = instrument.collector or ensure_default_collector(instrument.exchange)
        instrument.is_enabled, instrument.collector = True, collector
        instrument.save(update_fields=["is_enabled", "collector"])
        transaction.on_commit(lambda: tasks.hint(tasks.sweep_collectors))
        transaction.on_commit(lambda: tasks.hint(tasks.load_history, instrument.pk))
    log.info("instrument_enabled", instrument=str(instrument))


def disable_instrument(instrument: Instrument) -> None:
    """End the live collection of `instrument`; everything stored stays."""
    instrument.is_enabled = False
    instrument.save(update_fields=["is_enabled"])
    log.info("instrument_disabled", instrument=str(instrument))


def request_start(collector: Collector) -> None:
    """Let the collector run from now on."""
    _ask(collector, desired=Collector.Desired.RUNNING, requested_at=None)


def request_stop(collector: Collector) -> None:
    """Let the collector drain and end; it is not started again until asked for."""
    _ask(collector, desired=Collector.Desired.STOPPED)


def request_restart(collector: Collector) -> None:
    """Let the collector drain and start anew; a stopped one starts."""
    _ask(
        collector,
        desired=Collector.Desired.RUNNING,
        requested_at=None,
        restart_requested_at=Now(),
    )


def _ask(collector: Collector, **values: object) -> None:
    # Only these columns: the holder writes the others at the same time.
    with transaction.atomic():
        Collector.objects.filter(pk=collector.pk).update(**values)
        transaction.on_commit(lambda: tasks.hint(tasks.sweep_collectors))
    collector.refresh_from_db()
    log.info("collector_asked", collector=collector.name, desired=collector.desired)
