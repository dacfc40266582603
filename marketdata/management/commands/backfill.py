"""Ask for a stretch of an instrument's history, and follow it if wanted."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import connection
from django.utils.dateparse import parse_datetime

from marketdata.backfills import BackfillRequest, InvalidBackfill, request_backfill
from marketdata.collector.errors import CollectorError
from marketdata.loading.listing import sync_instruments
from marketdata.loading.plans import Order
from marketdata.models import Instrument, to_ms
from tcpdashboard.common.models import Job
from tcpdashboard.common.models.jobs import FINISHED

LOOK_EVERY_S: Final = 0.5


class Command(BaseCommand):
    help = (
        "Load what is missing of an instrument's history: a job that a worker does. Ctrl-C while "
        "waiting leaves it running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exchange", default=settings.EXCHANGE)
        parser.add_argument("--symbol", required=True, help="Such as BTC-USDT.")
        parser.add_argument("--start", required=True, type=utc_ms, metavar="TIME")
        parser.add_argument(
            "--end", type=utc_ms, metavar="TIME", help="Not included; default: until now."
        )
        parser.add_argument(
            "--trades", action="store_true", help="Trades too, of the last three months."
        )
        parser.add_argument(
            "--oldest-first", action="store_true", help="Candles from the start on."
        )
        parser.add_argument("--wait", action="store_true", help="Print progress until it ends.")

    def handle(self, *args: Any, **options: Any) -> None:
        request = BackfillRequest(
            exchange=options["exchange"],
            symbol=options["symbol"],
            start_ms=options["start"],
            end_ms=options["end"],
            trades=options["trades"],
            order=Order.OLDEST if options["oldest_first"] else Order.NEWEST,
        )
        try:
            self._list(request)
            job = request_backfill(request)
        except (InvalidBackfill, CollectorError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"job {job.pk}: {job.title}")
        if options["wait"]:
            self._follow(job)
        else:
            self.stdout.write(f"a worker does it; `manage.py jobs` shows it, {_how_to_end(job)}")

    def _list(self, request: BackfillRequest) -> None:
        """Fetch the exchange's list when the symbol is not known yet, as on the first day."""
        known = Instrument.objects.filter(exchange=request.exchange, symbol=request.symbol)
        if request.exchange == settings.EXCHANGE and not known.exists():
            sync_instruments(request.exchange)

    def _follow(self, job: Job) -> None:
        try:
            shown = ""
            while job.state not in FINISHED and job.state != Job.State.PAUSED:
                line = progress_line(job)
                if line != shown:
                    self.stdout.write(line)
                    self.stdout.flush()
                    shown = line
                time.sleep(LOOK_EVERY_S)
                _look_again(job)
        except KeyboardInterrupt:
            self.stdout.write(f"\njob {job.pk} goes on; {_how_to_end(job)}")
            return
        if job.state == Job.State.FAILED:
            raise CommandError(f"job {job.pk} failed: {job.error}")
        figures = " ".join(f"{name}={value}" for name, value in job.result.items() if value)
        self.stdout.write(f"job {job.pk} is {job.state}: {figures}")


def utc_ms(text: str) -> int:
    """Return a time as UTC milliseconds; 2024-01-01 and ISO 8601, UTC unless an offset is given."""
    try:
        time_given = parse_datetime(text) or datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"expected a time such as 2024-01-01 or 2024-01-01T12:00Z; was {text!r}"
        ) from None
    return to_ms(time_given if time_given.tzinfo else time_given.replace(tzinfo=UTC))


def progress_line(job: Job) -> str:
    """Return one line on how far a job is."""
    share = f" ({job.done / job.total:.0%})" if job.total else ""
    why = f", waits: {job.error}" if job.error and job.state == Job.State.QUEUED else ""
    of = "" if job.total is None else f" of {job.total}"
    return f"job {job.pk} {job.state}: {job.done}{of} {job.unit}{share} {job.message}{why}".rstrip()


def _look_again(job: Job) -> None:
    try:
        job.refresh_from_db()
    except DatabaseError:
        # The database starts again; the job waits for it too.
        connection.close()


def _how_to_end(job: Job) -> str:
    return f"`manage.py jobs --cancel {job.pk}` ends it"
