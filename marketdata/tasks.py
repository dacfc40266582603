"""Background tasks of market data. Each is a hint that may be lost: the sweeps repeat it.

`throws` names what is expected of an exchange and therefore logged without a traceback.
"""

from __future__ import annotations

import time
from typing import Any, Final

import structlog
from celery import signals

from marketdata.collector.errors import CollectorError
from marketdata.exchanges import collected_exchanges
from marketdata.loading.history import load_history as load
from marketdata.loading.listing import sync_instruments as sync
from marketdata.loading.turns import due_histories
from marketdata.publishing import publish_collectors
from marketdata.retention.enforcing import enforce
from marketdata.retention.enforcing import prepare_partitions as prepare
from marketdata.storage.locks import alone
from marketdata.supervision.logins import sweep_logins
from marketdata.supervision.manager import CollectorManager
from marketdata.supervision.reporting import collector_states
from marketdata.supervision.staleness import sweep_feeds, watched_s
from marketdata.supervision.standstill import end_standstills
from tcpdashboard.celery import app
from tcpdashboard.common.hints import EXPIRES_S, hint

log = structlog.get_logger(__name__)

# The key of the advisory lock on looking through the whole store.
_SCANNING: Final = 7142


@app.task(name="marketdata.collect")
def collect(collector_id: int) -> str:
    """Run a collector until its lease, its row or the process ends it."""
    # Here, so that the web process, which only sends tasks, loads no collector.
    from marketdata.supervision.running import run_collector

    return run_collector(collector_id).value


@app.task(name="marketdata.sweep_collectors")
def sweep_collectors() -> None:
    """Ask for every collector that should run and has no holder; show how all are.

    One exchange that cannot be swept stops no other.
    """
    end_standstills()
    for exchange in collected_exchanges():
        try:
            _sweep(exchange)
        except Exception:
            # Whatever it is, the others' collectors must not wait for its end.
            log.exception("sweep_failed", exchange=exchange)
    publish_collectors(collector_states())


def _sweep(exchange: str) -> None:
    for collector_id in CollectorManager(exchange).sweep():
        collect.apply_async((collector_id,), expires=EXPIRES_S)
    sweep_feeds(exchange, watched_s(time.time()))
    sweep_logins(exchange)


@app.task(name="marketdata.tell_vitals")
def tell_vitals(is_asked_for: bool = False) -> None:
    """Tell how the installation is, while somebody looks or because somebody is about to."""
    from marketdata.supervision.vitals import tell_vitals as tell

    tell(is_asked_for=is_asked_for)


@app.task(name="marketdata.load_history", throws=(CollectorError,))
def load_history(instrument_id: int) -> None:
    """Load what is missing of an instrument's history."""
    load(instrument_id)


@app.task(name="marketdata.sweep_histories")
def sweep_histories() -> None:
    """Ask for every history that is not whole yet."""
    for instrument_id in due_histories():
        load_history.apply_async((instrument_id,), expires=60)


@app.task(name="marketdata.prepare_partitions")
def prepare_partitions() -> None:
    """Make the tables of the next days' raw messages."""
    prepare()


@app.task(name="marketdata.enforce_retention")
def enforce_retention() -> None:
    """Take away what was kept long enough; what is not done in time is done the next time."""
    enforce()


@app.task(name="marketdata.sync_instruments")
def sync_instruments() -> None:
    """Ask for the list of each exchange that is collected here; one that fails stops no other."""
    for exchange in collected_exchanges():
        sync_exchange.apply_async((exchange,), expires=3600)


@app.task(name="marketdata.sync_exchange", throws=(CollectorError,))
def sync_exchange(exchange: str) -> None:
    """Follow the list of instruments of one exchange."""
    sync(exchange)


@app.task(name="marketdata.scan_gaps")
def scan_gaps() -> None:
    """Look through what is stored for gaps, and have repaired at once what was found.

    One at a time: a look that takes longer than a minute is not joined by a second one.
    """
    # Here, so that the web process, which only sends tasks, loads nothing of it.
    from marketdata.repair.scan import scan_exchange

    with alone(_SCANNING) as is_mine:
        exchanges = collected_exchanges() if is_mine else ()
        opened = [gap for one in exchanges for gap in scan_exchange(one).opened]
    if opened:
        hint(repair_gaps)


@app.task(name="marketdata.repair_gaps", throws=(CollectorError,))
def repair_gaps() -> None:
    """Repair the gaps that are due, as many as may be repaired at once."""
    from marketdata.repair.running import repair_gaps as repair

    for exchange in collected_exchanges():
        repair(exchange)


@app.task(name="marketdata.verify_minutes", throws=(CollectorError,))
def verify_minutes() -> None:
    """Compare minutes built here, which the socket did not confirm, with the exchange's own."""
    from marketdata.verification.running import verify_minutes as verify

    verify()


@signals.worker_ready.connect
def _sweep_at_once(**_options: Any) -> None:
    hint(sweep_collectors)
