"""What a person may choose on the command line of ./dev up."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from tcpdashboard.embedded.errors import CannotStartError

LAST_PORT = 65535
EXCHANGES = ("auto", "okx", "okx-sim")


@dataclass(frozen=True, slots=True)
class Options:
    """`port` 0 means any free one; `speed` is simulated seconds per second."""

    host: str = "127.0.0.1"
    port: int = 8000
    exchange: str = "auto"
    speed: float = 1.0


def parse_options(arguments: list[str]) -> Options:
    """Return the options; exits with code 2 and the usage when one is wrong."""
    usual = Options()
    parser = argparse.ArgumentParser(prog="./dev up", description="Run everything on one machine.")
    parser.add_argument("--host", default=usual.host, help="address to listen on")
    parser.add_argument("--port", type=int, default=usual.port, help="0: any free one")
    parser.add_argument(
        "--exchange",
        choices=EXCHANGES,
        default=usual.exchange,
        help="where data come from; auto: OKX when it can be reached, else simulated",
    )
    parser.add_argument(
        "--speed", type=float, default=usual.speed, help="simulated seconds per second"
    )
    options = Options(**vars(parser.parse_args(arguments)))
    if not 0 <= options.port <= LAST_PORT:
        raise CannotStartError(f"--port must be from 0 to {LAST_PORT}")
    if not 0 < options.speed < math.inf:
        raise CannotStartError("--speed must be a number above 0")
    if options.speed != 1 and options.exchange == "okx":
        raise CannotStartError("--speed is for the simulated exchange: add --exchange okx-sim")
    return options
