"""What the database refuses for good is put aside, so that everything else is still stored."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final

from django.db import transaction

from marketdata.collector.ports import InstrumentBatch
from marketdata.models import Instrument, RefusedBatch
from tcpdashboard.common.alerts import raise_alert

ALERT: Final = "batch_refused"

KEPT: Final = 100
"""Refused batches kept of one instrument: a fault that repeats fills no disk."""


def put_aside(instrument: Instrument, part: InstrumentBatch, error: Exception) -> None:
    """Keep a part that was refused, and tell a person. What it held becomes a gap like any other.

    The scan finds the trades and minutes that are missing then, and they are fetched again.
    """
    reason = str(error).strip()
    with transaction.atomic():
        if RefusedBatch.objects.filter(instrument=instrument).count() < KEPT:
            payload = _payload(part)
            RefusedBatch.objects.create(instrument=instrument, error=reason, payload=payload)
        raise_alert(
            ALERT,
            str(instrument),
            f"the database refused a batch of {instrument}: {reason.splitlines()[0]}. It is kept "
            "on the admin page of refused batches, and its trades are fetched again",
            severity="critical",
        )


def _payload(part: InstrumentBatch) -> dict[str, Any]:
    emission = part.emission
    return {
        "exchange_ms": part.exchange_ms,
        "trades": _plain(emission.trades.tolist()),
        "minutes": _plain(emission.minutes.tolist()),
        "openings": _plain([asdict(one) for one in emission.openings]),
        "rebuild": list(emission.rebuild),
        "opened": [asdict(hole) for hole in emission.opened],
        "repaired": [asdict(hole) for hole in emission.repaired],
        "given_up": [asdict(hole) for hole in emission.given_up],
    }


def _plain(value: Any) -> Any:
    """Return `value` as JSON knows it: NaN and infinities, which may be the fault, become text."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
