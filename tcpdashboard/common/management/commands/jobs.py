"""Show jobs, or give one an order."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tcpdashboard.common.jobs.orders import JobRefused, cancel_job, pause_job, resume_job
from tcpdashboard.common.models import Job

SHOWN: Final = 30
ORDERS: Final = {"pause": pause_job, "resume": resume_job, "cancel": cancel_job}


class Command(BaseCommand):
    help = f"Show the newest {SHOWN} jobs, or pause, resume or cancel one."

    def add_arguments(self, parser: CommandParser) -> None:
        orders = parser.add_mutually_exclusive_group()
        for name in ORDERS:
            orders.add_argument(f"--{name}", type=int, metavar="ID")
        orders.add_argument("--active", action="store_true", help="Only those that are not over.")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ORDERS if options[name] is not None}
        for name, job_id in asked.items():
            self._order(name, job_id)
        if not asked:
            jobs = Job.objects.active() if options["active"] else Job.objects.all()
            for job in jobs[:SHOWN]:
                self.stdout.write(_line(job))

    def _order(self, name: str, job_id: int) -> None:
        job = Job.objects.filter(pk=job_id).first()
        if job is None:
            raise CommandError(f"there is no job {job_id}; `manage.py jobs` lists them")
        try:
            ORDERS[name](job)
        except JobRefused as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(_line(job))


def _line(job: Job) -> str:
    of = "" if job.total is None else f"/{job.total}"
    parts = (f"{job.pk:>6}", f"{job.state:<10}", f"{job.done}{of} {job.unit}".strip(), job.title)
    return "  ".join((*parts, job.error)).rstrip()
