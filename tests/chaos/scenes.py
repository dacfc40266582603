"""The two markets that are collected while things go wrong."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from marketdata.domain.timeframe import MINUTE_MS
from marketdata.simulator.market import Market, SeededMarket
from marketdata.simulator.tape import TapeMarket

SYMBOLS: Final = ("BTC-USDT", "LTC-USDT", "BTC-USDT-SWAP")
"""A busy one, one with minutes without a trade, one of contracts."""

BEFORE_MIDNIGHT_MS: Final = int(datetime(2026, 1, 5, 23, 51, tzinfo=UTC).timestamp() * 1000)
SEEDED_MS: Final = 20 * MINUTE_MS


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A market, its part that is compared: whole minutes in [start_ms, end_ms), and its pace.

    `options` start the exchange.
    """

    template: str
    market: Market
    symbols: tuple[str, ...]
    start_ms: int
    end_ms: int
    speed: float
    longest_cut_s: float
    options: tuple[str, ...]

    @property
    def length_s(self) -> float:
        """How long the exchange's clock runs, in seconds of its own."""
        return (self.end_ms - self.start_ms) / 1000


def seeded_scene(seed: int) -> Scene:
    """Return 20 minutes across midnight: whole windows, or parts of them, of all timeframes."""
    end_ms = BEFORE_MIDNIGHT_MS + SEEDED_MS
    start = datetime.fromtimestamp(BEFORE_MIDNIGHT_MS / 1000, UTC).isoformat()
    return Scene(
        template="seeded",
        market=SeededMarket(seed),
        symbols=SYMBOLS,
        start_ms=BEFORE_MIDNIGHT_MS,
        end_ms=end_ms,
        speed=110.0,
        longest_cut_s=600.0,
        options=("--seed", str(seed), "--start", start),
    )


def tape_scene(tape: Path) -> Scene:
    """Return ten whole recorded minutes, with something before the first and after the last.

    Where nothing comes before, a history is asked again and again; and a trade that was lost is
    told by the one after it.
    """
    market = TapeMarket(tape, SYMBOLS[0])
    start_ms = (market.start_ms // MINUTE_MS + 1) * MINUTE_MS
    end_ms = (market.end_ms or 0) // MINUTE_MS * MINUTE_MS
    start = datetime.fromtimestamp(start_ms / 1000, UTC).isoformat()
    return Scene(
        template="tape",
        market=market,
        symbols=SYMBOLS[:1],
        start_ms=start_ms,
        end_ms=end_ms,
        speed=60.0,
        longest_cut_s=180.0,
        options=("--tape", str(tape), "--symbol", SYMBOLS[0], "--start", start),
    )


def write_tape(recorded: Path, tape: Path) -> Path:
    """Write recorded trades in the tape's own format."""
    with gzip.open(recorded, "rt") as source, tape.open("w") as target:
        target.write("trade_id,time_ms,price,size,side\n")
        next(source)
        for line in source:
            _, trade_id, time_ms, price, size, buyer_is_maker = line.strip().split(",")
            side = "sell" if buyer_is_maker.lower() in ("true", "1") else "buy"
            target.write(f"{trade_id},{time_ms},{price},{size},{side}\n")
    return tape
