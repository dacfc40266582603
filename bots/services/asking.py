"""Asking for the steps of instruments, at once and after the commit."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from bots.tasks import tick
from tcpdashboard.common.hints import hint


def ask_for(instrument_ids: Iterable[int]) -> None:
    """Have the bots of these instruments stepped after the commit; the sweep does what is lost."""
    wanted = sorted(set(instrument_ids))

    def ask() -> None:
        for instrument_id in wanted:
            hint(tick, instrument_id)

    transaction.on_commit(ask)
