"""Which runs are due for a report, and making reports of several with their progress."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Exists, OuterRef

from bots.models import BotRun, ParityReport
from bots.parity.reporting import make_report
from tcpdashboard.common.jobs.run import JobRun

_AT_ONCE: Final = 200


def ended_runs() -> list[int]:
    """Return runs, oldest first, that have ended and of which no report tells the whole."""
    told = ParityReport.objects.filter(run=OuterRef("pk"), reason=ParityReport.Reason.ENDED)
    ended = BotRun.objects.filter(~Exists(told), end__isnull=False)
    return list(ended.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])


def open_runs() -> list[int]:
    """Return the runs that go on: each is replayed up to where it stands."""
    return list(BotRun.objects.filter(end=None).order_by("pk").values_list("pk", flat=True))


def run_reports(run: JobRun) -> dict[str, Any]:
    """Do the job of reports that somebody asked for: `runs`, one after the other."""
    runs, reports = list(run.parameters["runs"]), list(run.checkpoint.get("reports", []))
    for run_id in runs[len(reports) :]:
        run.check()
        reports.append(make_report(run_id, ParityReport.Reason.ASKED).pk)
        run.save({"reports": reports}, done=len(reports))
    return {"reports": reports}
