"""The latency of one bot in the real processes, from the trade that closes a minute on.

A sender of 2,000 trades a second, a collecting worker, a worker of ticks, and beat. Here a minute
lasts one second of ours, so that there are enough of them: the closing trade is sent, and a
connection that looks every few ms sees the bot's cursor behind the minute.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from django.test import override_settings

from tcpdashboard.supervisor.plan import WORKER
from tests.benchmarks.bots_market import MINUTE_MS, make_model
from tests.benchmarks.crowd_processes import cpu_s
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.ingest_sender import SLICE_S, Tape
from tests.benchmarks.market import execute

RATE, SPEED = 2_000, 60.0
SAMPLES: Final = 320
"""Minutes that are measured: a p99 asks for 300."""
FIRST: Final = 5
"""Minutes that are not measured: everything is done for the first time in them."""
LOOK_S: Final = 0.003
SYMBOL: Final = "BTC-USDT"
COLLECT: Final = ("worker", "-Q", "collect,repair", "-c", "8", *WORKER)
TICKS: Final = ("worker", "-Q", "ticks,default", "-c", "8", *WORKER)
BEAT: Final = ("beat", "--pidfile=")


def latency() -> list[Figure]:
    """Return the time from the closing trade's sending to the committed decision."""
    took, used = _latencies()
    assert len(took) >= 0.95 * SAMPLES, f"{len(took)} minutes were sent and seen of {SAMPLES}"
    p50, p99 = percentile(took, 50), percentile(took, 99)
    note = f"{len(took)} minutes, most {max(took):.0f} ms"
    return [
        Figure(f"tick latency at {RATE:,} trades/s, p50", p50, "ms", "below 120", p50 < 120, note),
        Figure(f"tick latency at {RATE:,} trades/s, p99", p99, "ms", "below 400", p99 < 400, used),
    ]


def _latencies() -> tuple[list[float], str]:
    """Return the ms of each minute, and what the two workers used meanwhile."""
    with ExitStack() as stack:
        sender = stack.enter_context(_sender())
        env = _env(sender.port)
        pids = [stack.enter_context(_celery(env, *one)) for one in (COLLECT, TICKS, BEAT)]
        bot_id, instrument_id = _live_bot()
        began, before = time.monotonic(), [cpu_s(pid) for pid in pids]
        seen = _watched(bot_id)
        lasted_s = time.monotonic() - began
        collecting, stepping, _ = (cpu_s(pid) - was for pid, was in zip(pids, before, strict=True))
        used = f"CPU s in {lasted_s:.0f} s: {collecting:.0f} collecting, {stepping:.0f} stepping"
        return _differences(seen, instrument_id, sender.began_ms), used


@dataclass
class _Sending:
    """The sender's process: its port, and when its tape began, by our clock."""

    process: subprocess.Popen[str]
    port: int
    began_ms: int = 0

    def listen(self) -> None:
        """Note what it says until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, value = line.partition(" ")
            if word == "began":
                self.began_ms = int(value)


@contextmanager
def _sender() -> Iterator[_Sending]:
    seconds = 4 * SAMPLES * MINUTE_MS / 1000 / SPEED
    options = {"rate": RATE, "seconds": seconds, "symbols": SYMBOL, "speed": SPEED}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.benchmarks.ingest_sender"),
            *(word for name, value in options.items() for word in (f"--{name}", str(value))),
        ],
        stdout=subprocess.PIPE,
        # It complains of the collector that is killed before it.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    sending = _Sending(process, int(process.stdout.readline().split()[1]))
    threading.Thread(target=sending.listen, daemon=True).start()
    try:
        yield sending
    finally:
        process.kill()
        process.wait()


@contextmanager
def _celery(env: dict[str, str], *options: str) -> Iterator[int]:
    command = [sys.executable, "-m", "celery", "-A", "tcpdashboard", "-q", *options]
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _env(port: int) -> dict[str, str]:
    return {
        **os.environ,
        "TCPD_EXCHANGE": "okx-sim",
        "TCPD_OKX_REST_URL": f"http://127.0.0.1:{port}",
        "TCPD_OKX_WS_URL": f"ws://127.0.0.1:{port}/ws/v5",
        "TCPD_HISTORY_DAYS": "0",
    }


def _live_bot() -> tuple[int, int]:
    """Return a running bot of the instrument that is sent, and the instrument."""
    from bots.models import Bot
    from marketdata import services
    from marketdata.models import Candle

    instrument = _instrument()
    with override_settings(EXCHANGE="okx-sim"):
        services.enable_instrument(instrument)
    instrument.refresh_from_db()
    candles = Candle.objects.filter(instrument=instrument, timeframe=1)
    _until("three candles are stored", lambda: candles.count() >= 3, 120)
    bot = make_model(instrument, 2, 4)
    running = Bot.objects.filter(pk=bot.pk, state="running")
    _until("the bot runs", running.exists, 60)
    return bot.pk, instrument.pk


def _instrument() -> Any:
    from marketdata.models import Instrument

    return Instrument.objects.create(
        exchange="okx-sim",
        symbol=SYMBOL,
        kind="spot",
        base="BTC",
        quote="USDT",
        state="live",
        tick_size="0.1",
        lot_size="0.00000001",
        min_size="0.00001",
    )


def _watched(bot_id: int) -> dict[int, float]:
    """Return when the bot was first seen behind each minute (open time in ms), by our clock."""
    query = "select (extract(epoch from cursor) * 1000)::bigint from bots_bot where id = %s"
    seen: dict[int, float] = {}
    deadline = time.monotonic() + 2 * SAMPLES * MINUTE_MS / 1000 / SPEED
    while len(seen) < SAMPLES + FIRST and time.monotonic() < deadline:
        seen.setdefault(execute(query, [bot_id])[0][0] - MINUTE_MS, time.time())
        time.sleep(LOOK_S)
    return dict(list(seen.items())[FIRST:])


def _differences(seen: dict[int, float], instrument_id: int, began_ms: int) -> list[float]:
    """Return the ms from the sending of each minute's closing trade to its decision."""
    query = (
        "select (extract(epoch from open_time) * 1000)::bigint, trade_id from marketdata_opening"
        " where instrument_id = %s"
    )
    tape = Tape((SYMBOL,), RATE, began_ms, SPEED)
    a_slice = int(RATE * SLICE_S)
    sent = {
        open_ms - MINUTE_MS: began_ms / 1000 + (trade_id - tape.first_id) // a_slice * SLICE_S
        for open_ms, trade_id in execute(query, [instrument_id])
    }
    return [(at - sent[minute]) * 1000 for minute, at in _each(seen) if minute in sent]


def _each(seen: dict[int, float]) -> Iterator[tuple[int, float]]:
    """Yield every minute with when it was done: a late one together with those behind it."""
    for before, minute in pairwise(seen):
        for done in range(before + MINUTE_MS, minute + 1, MINUTE_MS):
            yield done, seen[minute]


def _until(what: str, condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.1)
