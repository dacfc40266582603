"""Looks through the store for gaps: one instrument, or all of an exchange."""

from __future__ import annotations

import threading

import structlog
from django.db import connection

from marketdata.domain.gaps import Stretch
from marketdata.models import Instrument, to_ms
from marketdata.repair.idrule import resume_id_rule
from marketdata.repair.telling import tell_gaps
from marketdata.storage.findings import Findings
from marketdata.storage.scanning import changed_days, scan_candles
from marketdata.storage.tapes import do_ids_follow, scan_tape
from tcpdashboard.common.shutdown import SHUTDOWN

_SCANNING = 7104  # first key of the advisory locks on an instrument's scan

log = structlog.get_logger(__name__)


def scan_instrument(instrument: Instrument, asked: Stretch | None = None) -> Findings | None:
    """Bring the instrument's gaps in line with what is stored; None while another scan does.

    `asked` is a stretch [start, end) in UTC milliseconds of which a person wants every minute:
    what is missing of it before the first or after the last stored candle becomes a gap too.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s, %s)", [_SCANNING, instrument.pk])
        if not cursor.fetchone()[0]:
            return None
        try:
            _end_suspension(instrument)
            findings = scan_tape(instrument, changed_days(instrument))
            findings += scan_candles(instrument, asked)
        finally:
            cursor.execute("select pg_advisory_unlock(%s, %s)", [_SCANNING, instrument.pk])
    if findings.opened or findings.closed:
        opened = len(findings.opened)
        log.info("gaps_scanned", instrument=str(instrument), opened=opened, closed=findings.closed)
    return findings


def _end_suspension(instrument: Instrument) -> None:
    """Let ids count again once they follow each other."""
    since = instrument.id_rule_suspended_at
    if since is not None and do_ids_follow(instrument, to_ms(since)) and resume_id_rule(instrument):
        log.info("id_rule_resumed", instrument=str(instrument))
        instrument.refresh_from_db(fields=["id_rule_suspended_at", "id_holes_unfound"])


def scan_exchange(exchange: str, stop: threading.Event = SHUTDOWN) -> Findings:
    """Scan all instruments of `exchange`; those without data cost two looks at an index."""
    findings = Findings()
    for instrument in Instrument.objects.filter(exchange=exchange):
        if stop.is_set():
            break
        findings += scan_instrument(instrument) or Findings()
    tell_gaps()
    return findings
