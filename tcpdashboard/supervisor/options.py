"""What a person may choose on the command line of ./dev up."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from tcpdashboard.embedded.errors import CannotStartError

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
    if options.speed <= 0:
        raise CannotStartError("--speed must be above 0")
    if options.speed != 1 and options.exchange == "okx":
        raise CannotStartError("--speed is for the simulated exchange: add --exchange okx-sim")
    return options
