"""Run a backtest here and now, store it and print its figures."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backtests.domain.engine import WrongTargets
from backtests.domain.metrics import METRICS
from backtests.loading import CandlesMoved
from backtests.models import Backtest
from backtests.requests import BacktestRequest, InvalidBacktest
from backtests.services import run_now
from marketdata.domain.timeframe import Timeframe
from marketdata.management.commands.backfill import utc_ms
from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyError
from strategies.domain.params import parse


class Command(BaseCommand):
    help = "Run a strategy over stored candles, store the result and print its figures."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strategy", required=True, help="Such as ema_crossover.")
        parser.add_argument(
            "--param", action="append", default=[], metavar="NAME=VALUE", help="Any number."
        )
        parser.add_argument("--exchange", default=settings.EXCHANGE)
        parser.add_argument("--symbol", required=True, help="Such as BTC-USDT.")
        parser.add_argument("--timeframe", default=Timeframe.M1.value)
        parser.add_argument("--start", required=True, type=utc_ms, metavar="TIME")
        parser.add_argument(
            "--end", required=True, type=utc_ms, metavar="TIME", help="Not included."
        )
        parser.add_argument("--fee-bps", type=_number, help="Taker and maker; default: the kind's.")
        parser.add_argument("--slippage-bps", type=_number)
        parser.add_argument("--cash", type=_number, help="Initial balance in quote currency.")
        parser.add_argument("--json", action="store_true", help="For programs.")

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
    trading = {
        "cash": options["cash"],
        "taker_bps": options["fee_bps"],
        "maker_bps": options["fee_bps"],
        "slippage_bps": options["slippage_bps"],
    }
    return BacktestRequest(
        strategy=options["strategy"],
        exchange=options["exchange"],
        symbol=options["symbol"],
        timeframe=options["timeframe"],
        start_ms=options["start"],
        end_ms=options["end"],
        parameters=parse(known, _pairs(options["param"])),
        trading={name: value for name, value in trading.items() if value is not None},
    )


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, (_, sign, _) in zip(texts, pairs, strict=True) if not sign]:
        raise CommandError(f"expected --param NAME=VALUE; was {wrong[0]!r}")
    return {name: value for name, _, value in pairs}


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


def _number(text: str) -> str:
    try:
        Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"expected a number; was {text!r}") from None
    return text
