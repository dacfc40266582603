"""What every part of a backfill needs."""

from __future__ import annotations

from dataclasses import dataclass

from marketdata.collector.ports import History
from marketdata.domain.gaps import Stretch
from marketdata.loading.tally import Tally
from marketdata.models import Instrument, from_ms
from tcpdashboard.common.dbthread import DatabaseThread
from tcpdashboard.common.jobs.run import JobRun


@dataclass(frozen=True, slots=True)
class BackfillWork:
    """One job's instrument, its exchange, and the database thread.

    `now_ms` is the exchange's time when the work began; minutes from `young_ms` on are left out.
    """

    run: JobRun
    instrument: Instrument
    history: History
    database: DatabaseThread
    now_ms: int
    young_ms: int

    def note(self, tally: Tally, done: int, chunk: Stretch) -> None:
        """Remember how far it is, within the transaction that stores it."""
        self.run.note(tally.checkpoint(), done=done, message=f"{from_ms(chunk[0]):%Y-%m-%d}")
