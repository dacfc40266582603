"""manage.py check_strategy: prove that a strategy looks neither ahead nor too short back."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyError
from strategies.domain.params import Value, parse
from strategies.management.pairs import named_values
from strategies.proving import Verdict, prove_key


class Command(BaseCommand):
    help = "Prove that a strategy looks neither ahead nor back further than it says."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="Such as ema_crossover, or own:NAME.")
        parser.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="May be repeated."
        )
        parser.add_argument("--timeframe", default="1m", choices=[each.value for each in Timeframe])
        parser.add_argument("--exchange", help="Stored candles instead of made-up ones.")
        parser.add_argument("--symbol")
        parser.add_argument("--seed", type=int, default=1, help="Of the made-up candles.")

    def handle(self, *args: Any, **options: Any) -> None:
        instrument = _instrument(options["exchange"], options["symbol"])
        timeframe, seed = Timeframe(options["timeframe"]), options["seed"]
        try:
            params = _params(options["key"], options["param"])
            verdict = prove_key(options["key"], params, timeframe, instrument, seed)
        except StrategyError as error:
            raise CommandError(str(error)) from error
        self._tell(verdict, instrument)
        if not verdict.is_passed:
            sys.exit(1)

    def _tell(self, verdict: Verdict, instrument: Instrument | None) -> None:
        for proof in verdict.proofs:
            word = "passed" if proof.is_passed else "FAILED"
            self.stdout.write(f"{proof.name:<10} {word}  {proof.detail}")
        what = f"of {instrument}" if instrument else "made up"
        self.stdout.write(f"{verdict.candles:,} candles, {what}")


def _params(key: str, texts: list[str]) -> dict[str, Value]:
    given = named_values("--param", texts)
    return parse(describe_strategy(key).parameters, given)


def _instrument(exchange: str | None, symbol: str | None) -> Instrument | None:
    if (exchange is None) != (symbol is None):
        raise CommandError("--exchange and --symbol go together")
    if exchange is None or symbol is None:
        return None
    try:
        return Instrument.objects.named(exchange, symbol)
    except Instrument.DoesNotExist as error:
        raise CommandError(str(error)) from error
