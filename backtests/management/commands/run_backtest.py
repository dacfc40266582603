"""Run a backtest here and now, store it and print its figures."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backtests.domain.engine import WrongTargets
from backtests.domain.metrics import METRICS
from backtests.loading import CandlesMoved
from backtests.management.asking import add_run_arguments, asked
from backtests.models import Backtest
from backtests.requests import BacktestRequest, InvalidBacktest
from backtests.services import run_now
from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyError
from strategies.domain.params import parse
from strategies.management.pairs import named_values


class Command(BaseCommand):
    help = "Run a strategy over stored candles, store the result and print its figures."

    def add_arguments(self, parser: CommandParser) -> None:
        add_run_arguments(parser)
        parser.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="Any number."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backtest = run_now(_request(options))
        except (InvalidBacktest, StrategyError, CandlesMoved, WrongTargets) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_told(backtest)))
        else:
            self._print(backtest)

    def _print(self, backtest: Backtest) -> None:
        for metric in METRICS:
            self.stdout.write(f"{metric.title:<22} {_shown(metric.unit, backtest, metric.key)}")
        for badge in backtest.badges:
            self.stdout.write(f"note: {badge}")
        self.stdout.write(f"backtest {backtest.pk}, result {backtest.result_hash}")


def _request(options: dict[str, Any]) -> BacktestRequest:
    known = describe_strategy(options["strategy"]).parameters
    given = named_values("--param", options["param"])
    return BacktestRequest(parameters=parse(known, given), **asked(options))


def _told(backtest: Backtest) -> dict[str, Any]:
    return {
        "id": backtest.pk,
        "strategy": backtest.strategy,
        "parameters": backtest.parameters,
        "instrument": str(backtest.instrument),
        "timeframe": backtest.timeframe,
        "start": backtest.start.isoformat(),
        "end": backtest.end.isoformat(),
        "trading": backtest.trading,
        "metrics": backtest.metrics,
        "badges": backtest.badges,
        "fingerprint": backtest.fingerprint,
        "result_hash": backtest.result_hash,
    }


def _shown(unit: str, backtest: Backtest, key: str) -> str:
    value = backtest.metrics[key]
    if value is None:
        return "unknown"
    if unit == "share":
        return f"{value:.2%}"
    if unit == "ms":
        return f"{value / 60_000:,.0f} min"
    if unit == "count":
        return f"{value:,.0f}"
    return f"{value:,.2f} {backtest.instrument.quote if unit == 'cash' else ''}".rstrip()
