"""Bots: one minute's close for many of them, and the latency of one beside live ingest.

The bots of one instrument share ten sets of parameters; the averages are so short that a part of
them trades at every minute. The clock starts before the closed candle is stored and stops when
the last decision is committed. The latency is that of the real processes: a sender of 2,000 trades
a second, a collecting worker, a worker of ticks. There a minute lasts two seconds of ours, so that
there are enough of them: the closing trade is sent, and a connection that looks every 2 ms sees the
bot's cursor behind the minute.
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
from typing import Final

from django.test import override_settings

from tcpdashboard.supervisor.plan import WORKER
from tests.benchmarks.bots_market import MINUTE_MS, Minutes, make_bots, make_model
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.ingest_sender import SLICE_S, Tape
from tests.benchmarks.market import execute

COUNTS: Final = (10, 100, 1_000, 10_000)
GROUPS: Final = 10
ROUNDS: Final = 9
HISTORY: Final = 600

DAY, YEAR, AFTER = 1_440, 525_600, 60

RATE, SPEED = 2_000, 30.0
SAMPLES: Final = 120
LOOK_S: Final = 0.002
SYMBOL: Final = "BTC-USDT"
COLLECT: Final = ("worker", "-Q", "collect,repair", "-c", "8", *WORKER)
TICKS: Final = ("worker", "-Q", "ticks,default", "-c", "8", *WORKER)
BEAT: Final = ("beat", "--pidfile=")


def run() -> list[Figure]:
    """Return the times of closes by number of bots, by age of the run, and the latency of one."""
    return [*_closes(), *_ages(), *_latency()]


def _closes() -> list[Figure]:
    """Return what one minute's close takes for all bots of an instrument."""
    took = {count: _close(number, count) for number, count in enumerate(COUNTS)}
    figures = [
        Figure(
            f"a minute's close, {count:,} bots",
            took[count] * 1000,
            "ms",
            *(("below 1,000 ms", took[count] < 1) if count == 1_000 else ("", None)),
            f"{took[count] / count * 1000:.2f} ms a bot",
        )
        for count in COUNTS
    ]
    most, fewer = COUNTS[-1], COUNTS[-2]
    each, growth = took[most] / most * 1000, took[most] / took[fewer]
    return [
        *figures,
        Figure(f"each of {most:,} bots", each, "ms", "below 1 ms", each < 1),
        Figure(
            f"{most:,} bots against {fewer:,}",
            growth,
            "times",
            f"at most {most // fewer}: no worse than linear",
            growth <= most / fewer,
        ),
    ]


def _close(number: int, count: int) -> float:
    """Return the median of seconds from the candle's end to the last committed decision."""
    minutes = Minutes(number, before=HISTORY, ahead=ROUNDS + 3)
    ids = make_bots(minutes, count, GROUPS)
    execute("vacuum analyze bots_bot")
    took = [_timed_close(minutes, ids) for _ in range(ROUNDS)]
    execute("update bots_bot set state = 'stopped' where id = any(%s)", [ids])
    return percentile(took[1:], 50)


def _timed_close(minutes: Minutes, ids: list[int]) -> float:
    from bots.manager import BotManager
    from bots.models import Bot
    from marketdata.models import from_ms

    began = time.perf_counter()
    minutes.close()
    BotManager().step(minutes.instrument.pk)
    took = time.perf_counter() - began
    now_ms = int(minutes.candles["open_time_ms"][minutes.done])
    there = Bot.objects.filter(pk__in=ids, state="running", cursor=from_ms(now_ms))
    assert there.count() == len(ids), f"{there.count()} of {len(ids)} bots are at the minute"
    return took


def _ages() -> list[Figure]:
    """Return what a minute's close takes for one bot after a day, and after a year."""
    day, year = (_aged(50 + place, length) for place, length in enumerate((DAY, YEAR)))
    return [
        Figure("a minute's close for one bot after a day, p50", day, "ms"),
        Figure(
            "the same after a year",
            year,
            "ms",
            "at most 1.25 x that of a day",
            year <= 1.25 * day,
        ),
    ]


def _aged(number: int, length: int) -> float:
    """Return the median of ms for a bot that has run for `length` minutes."""
    minutes = Minutes(number, before=HISTORY, ahead=length + AFTER + 2)
    ids = make_bots(minutes, 1, 1)
    _catch_up(minutes, ids[0], length)
    took = [_timed_close(minutes, ids) for _ in range(AFTER)]
    execute("update bots_bot set state = 'stopped' where id = any(%s)", [ids])
    return percentile(took[5:], 50) * 1000


def _catch_up(minutes: Minutes, bot_id: int, length: int) -> None:
    from bots.manager import BotManager
    from bots.models import Bot
    from marketdata.models import to_ms

    minutes.close(length)
    end_ms = int(minutes.candles["open_time_ms"][minutes.done])
    for _ in range(length // 1_000 + 10):
        BotManager().step(minutes.instrument.pk)
        cursor = Bot.objects.values_list("cursor", flat=True).get(pk=bot_id)
        if cursor is not None and to_ms(cursor) >= end_ms:
            break
    execute("vacuum analyze")


def _latency() -> list[Figure]:
    """Return the time from the closing trade's sending to the committed decision."""
    took = _latencies()
    p50, p99 = percentile(took, 50), percentile(took, 99)
    note = f"{len(took)} minutes, most {max(took):.0f} ms"
    return [
        Figure(f"tick latency at {RATE:,} trades/s, p50", p50, "ms", "below 120", p50 < 120, note),
        Figure(f"tick latency at {RATE:,} trades/s, p99", p99, "ms", "below 400", p99 < 400),
    ]


def _latencies() -> list[float]:
    with ExitStack() as stack:
        sender = stack.enter_context(_sender())
        env = _env(sender.port)
        for options in COLLECT, TICKS, BEAT:
            stack.enter_context(_celery(env, *options))
        bot_id, instrument_id = _live_bot()
        seen = _watched(bot_id)
        return _differences(seen, instrument_id, sender.began_ms)


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
def _celery(env: dict[str, str], *options: str) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "tcpdashboard", "-q", *options]
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        yield
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
    from marketdata.models import Candle, Instrument

    instrument = Instrument.objects.create(
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
    with override_settings(EXCHANGE="okx-sim"):
        services.enable_instrument(instrument)
    instrument.refresh_from_db()
    candles = Candle.objects.filter(instrument=instrument, timeframe=1)
    _until("three candles are stored", lambda: candles.count() >= 3, 120)
    bot = make_model(instrument, 0)
    running = Bot.objects.filter(pk=bot.pk, state="running")
    _until("the bot runs", running.exists, 60)
    return bot.pk, instrument.pk


def _watched(bot_id: int) -> dict[int, float]:
    """Return when the bot was first seen behind each minute (open time in ms), by our clock."""
    query = "select (extract(epoch from cursor) * 1000)::bigint from bots_bot where id = %s"
    seen: dict[int, float] = {}
    deadline = time.monotonic() + 2 * SAMPLES * MINUTE_MS / 1000 / SPEED
    while len(seen) < SAMPLES and time.monotonic() < deadline:
        seen.setdefault(execute(query, [bot_id])[0][0] - MINUTE_MS, time.time())
        time.sleep(LOOK_S)
    # The first ones it was behind when it was looked at.
    return dict(list(seen.items())[5:])


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
    return [(at - sent[minute]) * 1000 for minute, at in seen.items() if minute in sent]


def _until(what: str, condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.1)
