"""Make the bulk tables of a database in use hypertables of TimescaleDB."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.utils import OperationalError

from marketdata.storage.converting import Progress, Unequal, convert, progress
from marketdata.storage.hypertables import HYPERTABLES, Hypertable
from marketdata.storage.timescale import why_not_used

TOLD_EVERY_S = 5.0


class Command(BaseCommand):
    help = (
        "Make candles, trades and raw messages hypertables. While a table is converted, what is"
        " written to it waits; one that was interrupted is gone on with."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what is left to do.")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            if why_not := why_not_used(cursor):
                raise CommandError(f"nothing can be converted: {why_not}")
            if not options["dry_run"]:
                cursor.execute("create extension if not exists timescaledb")
        for hypertable in HYPERTABLES:
            state = progress(hypertable)
            self._tell(state)
            if not (state.is_done or options["dry_run"]):
                self._convert(hypertable, state)

    def _tell(self, state: Progress) -> None:
        if state.is_done:
            fate = f"is a hypertable of {state.chunks} chunks"
        elif state.copied:
            fate = f"is half converted: {state.rows - state.copied:,} rows are left"
        else:
            fate = "is to be converted"
        self.stdout.write(f"{state.table}: {state.rows:,} rows, {state.bytes:,} bytes, {fate}")

    def _convert(self, hypertable: Hypertable, state: Progress) -> None:
        copied, started = state.copied, time.monotonic()
        told = started
        try:
            for rows in convert(hypertable):
                copied += rows
                if time.monotonic() - told >= TOLD_EVERY_S:
                    told = time.monotonic()
                    speed = (copied - state.copied) / (told - started)
                    self.stdout.write(
                        f"  {copied:,} of {state.rows:,} rows, {speed:,.0f} a second,"
                        f" {(state.rows - copied) / speed:,.0f} s left"
                    )
        except (Unequal, OperationalError) as error:
            raise CommandError(
                f"{hypertable.table} is not converted yet: {str(error).strip()}; start again"
            ) from error
        done = progress(hypertable)
        self.stdout.write(
            f"  done in {time.monotonic() - started:,.0f} s: {done.chunks} chunks,"
            f" {done.bytes:,} bytes before compression"
        )
