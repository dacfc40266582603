"""manage.py scan_gaps: look through what is stored for gaps and print them."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.domain.gaps import Stretch
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, to_ms
from marketdata.repair.scan import scan_instrument


class Command(BaseCommand):
    help = "Look through an instrument's trades and candles for gaps, note them and print them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exchange", default=settings.EXCHANGE)
        parser.add_argument("--symbol", required=True)
        parser.add_argument("--start", type=_time, help="ISO time: ask for every minute from here")
        parser.add_argument("--end", type=_time, help="ISO time, not included; with --start")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            instrument = Instrument.objects.named(options["exchange"], options["symbol"])
        except Instrument.DoesNotExist as error:
            raise CommandError(str(error)) from error
        asked = _asked(instrument, options["start"], options["end"])
        findings = scan_instrument(instrument, asked)
        if findings is None:
            raise CommandError(f"{instrument} is being scanned now: try again in a moment")
        for gap in instrument.gaps.live().order_by("start"):
            self.stdout.write(_line(gap))
        live = instrument.gaps.live().count()
        self.stdout.write(
            f"{live} gaps, {len(findings.opened)} of them new; {findings.closed} are gaps no more"
        )


def _asked(instrument: Instrument, start: datetime | None, end: datetime | None) -> Stretch | None:
    """Return the stretch a person asked for, from the listing on and in whole minutes."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise CommandError("expected --start and --end together")
    start_ms, end_ms = to_ms(start), to_ms(end)
    if instrument.listed_at is not None:
        start_ms = max(start_ms, to_ms(instrument.listed_at))
    start_ms, end_ms = -(-start_ms // MINUTE_MS) * MINUTE_MS, end_ms // MINUTE_MS * MINUTE_MS
    if end_ms <= start_ms:
        raise CommandError("expected --start before --end, and --end after the listing")
    return start_ms, end_ms


def _line(gap: DataGap) -> str:
    if gap.first_trade_id is not None:
        what = f"trades {gap.first_trade_id} to {gap.last_trade_id}"
    else:
        what = next(f"{one} candles" for one in Timeframe if one.minutes == gap.timeframe)
    times = f"{gap.start:%Y-%m-%dT%H:%M:%SZ} to {gap.end:%Y-%m-%dT%H:%M:%SZ}"
    reason = f" ({gap.reason})" if gap.reason else ""
    return f"{times}  {what}  {gap.cause}  {gap.state}{reason}"


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
