"""What the commands of backtests and of searches are asked in the same words."""

from __future__ import annotations

from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from marketdata.domain.timeframe import Timeframe
from marketdata.management.commands.backfill import utc_ms


def add_run_arguments(parser: CommandParser) -> None:
    """Add what is run over which candles, with which account."""
    parser.add_argument("--strategy", required=True, help="Such as ema_crossover.")
    parser.add_argument("--exchange", default=settings.EXCHANGE)
    parser.add_argument("--symbol", required=True, help="Such as BTC-USDT.")
    parser.add_argument("--timeframe", default=Timeframe.M1.value)
    parser.add_argument("--start", required=True, type=utc_ms, metavar="TIME")
    parser.add_argument("--end", required=True, type=utc_ms, metavar="TIME", help="Not included.")
    parser.add_argument("--fee-bps", type=_number, help="Taker and maker; default: the kind's.")
    parser.add_argument("--slippage-bps", type=_number)
    parser.add_argument("--cash", type=_number, help="Initial balance in quote currency.")
    parser.add_argument("--json", action="store_true", help="For programs.")


def asked(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that these arguments decide."""
    trading = {
        "cash": options["cash"],
        "taker_bps": options["fee_bps"],
        "maker_bps": options["fee_bps"],
        "slippage_bps": options["slippage_bps"],
    }
    return {
        **{name: options[name] for name in ("strategy", "exchange", "symbol", "timeframe")},
        "start_ms": options["start"],
        "end_ms": options["end"],
        "trading": {name: value for name, value in trading.items() if value is not None},
    }


def _number(text: str) -> str:
    # Given on as it was written: a decimal is not rounded on its way.
    try:
        Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"expected a number; was {text!r}") from None
    return text
