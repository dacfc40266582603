"""The collecting process of the ingest benchmark: a real collector on a real database and Redis.

Prints one JSON line when its tape is stored: trades, seconds, CPU seconds, commit lag percentiles.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time

import django
import numpy as np

django.setup()

from django.conf import settings  # noqa: E402

from marketdata.collector.okx.collector import OKXCollector  # noqa: E402
from marketdata.collector.okx.constants import Endpoints  # noqa: E402
from marketdata.collector.ports import Batch  # noqa: E402
from marketdata.models import Collector, Instrument  # noqa: E402
from marketdata.publishing import LivePublisher  # noqa: E402
from marketdata.storage import DatabaseSink  # noqa: E402

SYMBOLS = ("BTC-USDT", "ETH-USDT")
MOST_LAG_MS = 60_000


class MeasuredSink(DatabaseSink):
    """Notes, after each commit, how old each of its trades is by then."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.lags = np.zeros(MOST_LAG_MS + 1, dtype=np.int64)
        self.trades = 0
        self.first_s = self.last_s = 0.0

    def commit(self, batch: Batch) -> None:
        super().commit(batch)
        now_s = time.time()
        for item in batch.instruments:
            trades = item.emission.trades
            lag_ms = np.clip(int(now_s * 1000) - trades["time_ms"], 0, MOST_LAG_MS)
            self.lags += np.bincount(lag_ms, minlength=MOST_LAG_MS + 1)
            self.trades += len(trades)
        self.first_s = self.first_s or now_s
        self.last_s = now_s

    def lag_ms(self, percent: float) -> int:
        return int(np.searchsorted(np.cumsum(self.lags), self.trades * percent / 100))


def instruments() -> list[Instrument]:
    return [
        Instrument.objects.get_or_create(
            exchange="bench",
            symbol=symbol,
            defaults={
                "kind": "spot",
                "base": symbol[:3],
                "quote": "USDT",
                "tick_size": "0.1",
                "lot_size": "0.00000001",
                "min_size": "0.00001",
            },
        )[0]
        for symbol in SYMBOLS
    ]


async def collect(sink: MeasuredSink, rows: list[Instrument], port: int, trades: int) -> float:
    """Collect until `trades` are stored; return the CPU seconds this process used."""
    address = f"127.0.0.1:{port}"
    publisher = LivePublisher("bench", settings.REDIS_URL, [])
    collector = OKXCollector(
        exchange="bench",
        endpoints=Endpoints(
            f"http://{address}", f"ws://{address}/ws/v5/public", f"ws://{address}/ws/v5/business"
        ),
        instruments=[row.spec for row in rows],
        sink=sink,
        publisher=publisher,
    )
    stop = asyncio.Event()
    cpu_s = time.process_time()
    running = asyncio.create_task(collector.run(stop))
    while sink.trades < trades and not running.done():
        await asyncio.wait({running}, timeout=0.02)
    cpu_s = time.process_time() - cpu_s
    stop.set()
    await running
    publisher.close()
    return cpu_s


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--trades", type=int, required=True)
    arguments = parser.parse_args()
    rows = instruments()
    row = Collector.objects.create(name=f"bench-{os.getpid()}", exchange="bench", fencing_token=1)
    sink = MeasuredSink(row.pk, "bench", 1)
    specs = [instrument for instrument in rows if instrument.spec]
    cpu_s = asyncio.run(collect(sink, specs, arguments.port, arguments.trades))
    seconds = sink.last_s - sink.first_s
    print(
        json.dumps(
            {
                "trades": sink.trades,
                "seconds": seconds,
                "cpu_s": cpu_s,
                "p50_ms": sink.lag_ms(50),
                "p99_ms": sink.lag_ms(99),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
