"""Ingest: from the socket to committed rows in one collecting process, beside its ceiling.

The sender is a process of its own with frames encoded ahead; PostgreSQL and Valkey are real. The
ceiling is the same sender read by a bare `websockets` and msgspec loop that stores nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import websockets

from tests.benchmarks.figures import Figure
from tests.benchmarks.ingest_collector import SYMBOLS


class BareTrade(msgspec.Struct, gc=False):
    """A trade as a bare loop would decode it."""

    tradeId: int
    px: float
    sz: float
    side: str
    ts: int


class BareFrame(msgspec.Struct, gc=False):
    data: list[BareTrade]


SUSTAINED_RATE = 30_000
SUSTAINED_S = 60.0
FLAT_OUT_S = 20.0
ASKED_RATE, AIMED_RATE, ASKED_LAG_MS = 27_000, 50_000, 1_000


def run() -> list[Figure]:
    """Return the ceiling, the sustained rate with its lag, and the most that goes through."""
    ceiling = _ceiling()
    sustained = collected(SUSTAINED_RATE, SUSTAINED_S, is_flat_out=False)
    most = collected(AIMED_RATE, FLAT_OUT_S, is_flat_out=True)
    rate = sustained["trades"] / sustained["seconds"]
    most_rate = most["trades"] / most["seconds"]
    return [
        Figure("ingest: bare websockets + msgspec, nothing stored", ceiling, "trades/s", "ceiling"),
        Figure(
            f"ingest: sustained for {SUSTAINED_S:.0f} s",
            rate,
            "trades/s",
            f"at least {ASKED_RATE:,}",
            rate >= ASKED_RATE,
            f"{sustained['cpu_s']:.0f} CPU s",
        ),
        Figure(
            "ingest: commit lag p99 at that rate",
            sustained["p99_ms"],
            "ms",
            f"below {ASKED_LAG_MS:,}",
            sustained["p99_ms"] < ASKED_LAG_MS,
            f"p50 {sustained['p50_ms']} ms",
        ),
        Figure(
            "ingest: flat out",
            most_rate,
            "trades/s",
            f"aim {AIMED_RATE:,}",
            most_rate >= AIMED_RATE,
            f"{most['cpu_s']:.1f} CPU s, {most_rate / ceiling:.0%} of the ceiling",
        ),
    ]


def collected(rate: int, seconds: float, *, is_flat_out: bool) -> dict[str, float]:
    trades = int(rate * seconds) // len(SYMBOLS) * len(SYMBOLS)
    with sender(rate, seconds, is_flat_out=is_flat_out) as port:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.benchmarks.ingest_collector"),
                *("--port", str(port), "--trades", str(trades)),
            ],
            capture_output=True,
            text=True,
            timeout=seconds * 4 + 60,
        )
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _ceiling() -> float:
    trades = int(AIMED_RATE * FLAT_OUT_S)
    with sender(AIMED_RATE, FLAT_OUT_S, is_flat_out=True) as port:
        return asyncio.run(_read(port, trades))


async def _read(port: int, trades: int) -> float:
    args = [{"channel": "trades-all", "instId": symbol} for symbol in SYMBOLS]
    url = f"ws://127.0.0.1:{port}/ws/v5/business"
    decode = msgspec.json.Decoder(BareFrame, strict=False).decode
    async with websockets.connect(url, compression=None, max_queue=None) as connection:
        await connection.send(msgspec.json.encode({"op": "subscribe", "args": args}).decode())
        for _ in SYMBOLS:
            await connection.recv()
        started = time.perf_counter()
        for _ in range(trades):
            decode(await connection.recv(decode=False))
        return trades / (time.perf_counter() - started)


@contextlib.contextmanager
def sender(rate: int, seconds: float, *, is_flat_out: bool) -> Iterator[int]:
    """Run the sender in a process of its own; yield its port."""
    options = ["--rate", str(rate), "--seconds", str(seconds), "--symbols", ",".join(SYMBOLS)]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.benchmarks.ingest_sender", *options),
            *(["--flat-out"] if is_flat_out else []),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().split()[1])
    finally:
        process.kill()
        process.communicate()
