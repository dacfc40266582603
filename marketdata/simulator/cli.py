"""The options of the simulated exchange, and running it until a signal."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from marketdata.simulator.config import NO_LIMITS, Config, Limits
from marketdata.simulator.exchange import SimulatedExchange
from marketdata.simulator.instruments import INSTRUMENTS
from marketdata.simulator.server import create_server


def add_arguments(parser: argparse.ArgumentParser, state: Path | None = None) -> None:
    """Add the options to a command; `state` is the default of the state folder."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="plain port; 0 takes a free one")
    parser.add_argument("--tls-port", type=int, help="port with TLS; none without this option")
    parser.add_argument(
        "--state", type=Path, default=state, required=state is None, help="folder of clock and CA"
    )
    parser.add_argument("--seed", type=int, default=1, help="which market")
    parser.add_argument("--activity", type=float, default=1.0, help="times as many trades")
    parser.add_argument(
        "--instruments",
        type=int,
        default=len(INSTRUMENTS),
        help="how many are listed; those beyond the usual ones trade once in two seconds",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="exchange seconds a second")
    parser.add_argument("--start", type=start_ms, metavar="ISO", help="first start of the clock")
    parser.add_argument("--hold", action="store_true", help="hold the clock until a subscription")
    parser.add_argument("--tape", type=Path, help="CSV (.gz) of trades to replay instead")
    parser.add_argument(
        "--candles", type=Path, help="JSON (.gz) of 1m candles to serve as history instead"
    )
    parser.add_argument("--symbol", help="the file's instrument, such as BTC-USDT")
    parser.add_argument("--faults", type=Path, help="script: one JSON object a line")
    parser.add_argument("--no-limits", action="store_true", help="lift all of OKX's limits")
    parser.add_argument(
        "--rest-scale", type=float, default=1.0, help="times as many REST requests as OKX allows"
    )
    parser.add_argument("--compress", action="store_true", help="offer permessage-deflate")
    parser.add_argument(
        "--candles-on-public", action="store_true", help="as before June 2023, for old clients"
    )
    parser.add_argument("--legacy-checksum", action="store_true", help="books with a real checksum")


def config_of(options: dict[str, object]) -> Config:
    """Return the configuration of parsed options; names that are not ours are left out."""
    scale = options["rest_scale"]
    limits = NO_LIMITS if options["no_limits"] else Limits(rest_scale=scale)  # type: ignore[arg-type]
    known = set(Config.__slots__) - {"limits", "credentials"}
    chosen = {"start_ms": options["start"]} | {k: v for k, v in options.items() if k in known}
    return replace(Config(state=Path()), limits=limits, **chosen)  # type: ignore[arg-type]


def start_ms(text: str) -> int:
    """Return an ISO 8601 time as ms; without an offset it is UTC.

    Raises ValueError when it is none.
    """
    time = datetime.fromisoformat(text)
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


async def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM; print one JSON line with the addresses when ready.

    Raises what `create_server` raises, and whatever stops the clock.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with create_server(config) as exchange:
        sys.stdout.write(json.dumps(addresses(exchange)) + "\n")
        sys.stdout.flush()
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({waiting, *exchange.work}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in exchange.work:
            if task.done():
                task.result()


def addresses(exchange: SimulatedExchange) -> dict[str, object]:
    """Return what a client must know."""
    secure = exchange.tls_port is not None
    return {
        "event": "ready",
        "rest": exchange.rest_url,
        "websocket": exchange.websocket_url,
        "tlsRest": exchange.tls_rest_url if secure else None,
        "tlsWebsocket": exchange.tls_websocket_url if secure else None,
        "caFile": str(exchange.ca_file) if secure else None,
    }
