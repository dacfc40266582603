"""Collect some instruments in the foreground."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from marketdata import services
from marketdata.collector.errors import CollectorError
from marketdata.exchanges import EXCHANGES, exchange_named
from marketdata.supervision.running import Outcome, run_collector

LINE_EVERY_S: Final = 5.0


class Command(BaseCommand):
    help = "Collect some instruments here until Ctrl-C; what is stored is the same as by a worker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exchange", choices=EXCHANGES, default=settings.EXCHANGE)
        parser.add_argument(
            "--symbols", required=True, help="Comma-separated, such as BTC-USDT,ETH-USDT."
        )
        parser.add_argument(
            "--until-idle", type=float, metavar="SECONDS", help="End after so long without a trade."
        )
        parser.add_argument(
            "--name", help="Name of the collector's row; for several at once (default: foreground)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        exchange = options["exchange"]
        symbols = tuple(filter(None, (part.strip() for part in options["symbols"].split(","))))
        name = options["name"] or f"{exchange}-foreground"
        try:
            exchange_named(exchange).check()
            services.instruments_of(exchange, symbols)
            row = services.foreground_collector(exchange, symbols, name)
        except (ImproperlyConfigured, services.Refused, CollectorError) as error:
            raise CommandError(str(error)) from error
        progress = Progress(self.stdout, options["until_idle"])
        with stopped_by_signals() as stop:
            outcome = run_collector(row.pk, stop, symbols=symbols, observer=progress)
        self._conclude(outcome, name, progress)

    def _conclude(self, outcome: Outcome, name: str, progress: Progress) -> None:
        if outcome is Outcome.HELD:
            raise CommandError(
                f"collector {name} runs already (or ended less than "
                f"{settings.COLLECTOR_LEASE_SECONDS:.0f} s ago without a word): wait, or give "
                "this one another --name"
            )
        if outcome in (Outcome.LOST, Outcome.FAILED):
            raise CommandError(f"the collector ended: it {outcome.value}; the log says more")
        progress.write("drained")


class Progress:
    """Prints a line of counters every few seconds and says when nothing comes any more."""

    def __init__(self, out: OutputWrapper, idle_s: float | None) -> None:
        self._out, self._idle_s = out, idle_s
        self._health: dict[str, Any] = {}
        self._trades = -1
        self._moved_at = self._printed_at = time.monotonic()

    def __call__(self, health: dict[str, Any]) -> bool:
        now, self._health = time.monotonic(), health
        if health.get("trades") != self._trades or health.get("waiting_trades"):
            self._trades, self._moved_at = health.get("trades", -1), now
        if now - self._printed_at >= LINE_EVERY_S:
            self._printed_at = now
            self.write("collecting")
        return self._idle_s is not None and now - self._moved_at >= self._idle_s

    def write(self, what: str) -> None:
        """Print the counters as they were last seen."""
        counters = ("trades", "stored_trades", "batches", "reconnects", "holes", "bad")
        figures = " ".join(f"{name}={self._health.get(name, 0)}" for name in counters)
        error = self._health.get("last_error")
        self._out.write(f"{what}: {figures}" + (f" last_error={error!r}" if error else ""))
        self._out.flush()


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
