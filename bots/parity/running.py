"""Which runs are due for a report, and making reports of several with their progress."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import structlog
from django.db.models import Exists, OuterRef

from bots.models import BotRun, ParityReport
from bots.parity.reporting import make_report
from marketdata.storage.locks import alone
from tcpdashboard.common.jobs.run import JobRun

_AT_ONCE: Final = 200

# The key of the advisory lock on making reports that nobody asked for.
_PROVING: Final = 7150

log = structlog.get_logger(__name__)


def ended_runs() -> list[int]:
    """Return runs, oldest first, that have ended and of which no report tells the whole."""
    told = ParityReport.objects.filter(run=OuterRef("pk"), reason=ParityReport.Reason.ENDED)
    ended = BotRun.objects.filter(~Exists(told), end__isnull=False)
    return list(ended.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])


def open_runs() -> list[int]:
    """Return the runs that go on: each is replayed up to where it stands."""
    return list(BotRun.objects.filter(end=None).order_by("pk").values_list("pk", flat=True))


def prove(runs: Iterable[int], reason: str) -> list[int]:
    """Make a report of each run, unless another process does so already; return those made.

    A run that cannot be read stops no other.
    """
    made = []
    with alone(_PROVING) as is_mine:
        for run_id in runs if is_mine else ():
            try:
                made.append(make_report(run_id, reason).pk)
            except Exception:
                log.exception("run_not_proved", run=run_id)
    return made


def run_reports(run: JobRun) -> dict[str, Any]:
    """Do the job of reports that somebody asked for: `runs`, one after the other."""
    runs, reports = list(run.parameters["runs"]), list(run.checkpoint.get("reports", []))
    for run_id in runs[len(reports) :]:
        run.check()
        reports.append(make_report(run_id, ParityReport.Reason.ASKED).pk)
        run.save({"reports": reports}, done=len(reports))
    return {"reports": reports}
