"""Feed a stored stretch through the whole stack again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.models import to_ms
from marketdata.replay.comparing import Comparison
from marketdata.replay.running import CannotReplay, replay


class Command(BaseCommand):
    help = (
        "Feed stored trades, candle pushes, tickers, books and announcements through parsing, "
        "aggregation and storage again, under another exchange's name, and say whether the candles "
        "are the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="start", type=_time, required=True, help="ISO 8601, UTC."
        )
        parser.add_argument("--to", dest="end", type=_time, required=True, help="Not included.")
        parser.add_argument("--exchange", default=settings.EXCHANGE)
        parser.add_argument("--symbol", action="append", help="May be given several times.")
        parser.add_argument(
            "--as", dest="name", help="Exchange to store under (default: <exchange>-replay)."
        )
        parser.add_argument(
            "--speed", type=_speed, default=None, help="Exchange seconds a second, or max."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        start_ms, end_ms = to_ms(options["start"]), to_ms(options["end"])
        if end_ms <= start_ms:
            raise CommandError("--to has to be later than --from")
        try:
            compared = replay(
                options["exchange"],
                options["symbol"],
                start_ms,
                end_ms,
                name=options["name"],
                speed=options["speed"],
            )
        except CannotReplay as error:
            raise CommandError(str(error)) from None
        for one in compared:
            self.stdout.write(_line(one))
        if not all(one.is_equal for one in compared):
            raise CommandError("the replay made other candles than are stored")


def _line(one: Comparison) -> str:
    verdict = "equal" if one.is_equal else f"{one.different:,} different"
    return (
        f"{one.symbol:<16} {one.timeframe.value:>3} {one.candles:>9,} stored {one.replayed:>9,} "
        f"replayed  {verdict}  {one.replayed_fingerprint.hex()[:16]}"
    )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    speed = float(text)
    if speed <= 0:
        raise ValueError("expected a speed above 0, or max")
    return speed
