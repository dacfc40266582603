"""500 instruments collected for two minutes of the exchange, beside what docs/scale.md works out.

The simulated exchange lists them, each with a trade in two seconds on average and OKX's limits
in force; the processes are those of `./dev up`, the collectors those that CollectorManager makes.
Rows count by the exchange's clock, which on a small machine is slower than the wall's.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import numpy as np
from django.test import override_settings

from tests.benchmarks.bench_scale import (
    CANDLES_A_DAY,
    DAYS,
    KEPT_DAYS,
    ROWS_A_DAY,
    TRADES_PER_S,
    size_of,
)
from tests.benchmarks.crowd_processes import KINDS, celery, cpu_s, engines, memory_mb
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.market import execute
from tests.simulated_exchange import SpawnedExchange, spawned_exchange

INSTRUMENTS, SECONDS = 500, 120.0
EXCHANGE: Final = "okx-sim"
_DAY_S: Final = 86_400
_NOT_OURS: Final = 1
"""Inverse swaps that the exchange lists: they are not collected."""
_MINUTES: Final = "candle where timeframe = 1"
_COUNTED: Final = {name: _MINUTES if name == "candle" else name for name in ROWS_A_DAY}
_TIMES: Final = {"candle": CANDLES_A_DAY / 1440}
"""Of candles those of 1m are counted: of the longer ones hardly any closes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where everything stands: both clocks in seconds, rows by table, processor time by kind."""

    wall_s: float
    exchange_s: float
    rows: dict[str, int]
    cpu_s: dict[str, float]


@dataclass(frozen=True, slots=True)
class Crowd:
    """What was measured between two moments; `lags_ms` of each trade, from exchange to commit."""

    instruments: int
    collectors: int
    sockets: int
    first: Moment
    last: Moment
    lags_ms: list[float]
    memory_mb: dict[str, float]
    gaps: int
    incomplete: int

    def rows_a_day(self, table: str) -> float:
        """Return the rows that a day of the exchange brings, at the rate that was seen."""
        seen = self.last.rows[table] - self.first.rows[table]
        seconds = self.last.exchange_s - self.first.exchange_s
        return seen / seconds * _DAY_S * _TIMES.get(table, 1)


def run() -> list[Figure]:
    """Return what the instruments take, beside what was worked out."""
    with tempfile.TemporaryDirectory(prefix="tcpd-crowd-") as folder:
        crowd = collected(Path(folder), dict(os.environ), INSTRUMENTS, SECONDS)
    execute("vacuum analyze")
    return [*_load(crowd), *_processes(crowd), *_tables(crowd)]


def collected(
    folder: Path, env: dict[str, str], instruments: int, seconds: float, *, speed: float = 1.0
) -> Crowd:
    """Collect so many instruments in processes of their own; return what that took."""
    options = ["--instruments", str(instruments + _NOT_OURS), "--speed", f"{speed:g}"]
    options += ["--start", datetime.now(UTC).isoformat()]
    with ExitStack() as stack:
        exchange = stack.enter_context(spawned_exchange(folder, *options, has_limits=True))
        addresses = {"OKX_REST_URL": exchange.rest, "OKX_WS_URL": exchange.websocket}
        env |= {f"TCPD_{name}": value for name, value in addresses.items()}
        env |= {"TCPD_EXCHANGE": EXCHANGE, "TCPD_HISTORY_DAYS": "0"}
        stack.enter_context(override_settings(EXCHANGE=EXCHANGE, **addresses))
        pids = {kind: stack.enter_context(celery(kind, env, folder)) for kind in KINDS}
        _enable_all(instruments)
        pids |= engines() | {"exchange (simulated)": exchange.process.pid}
        return _measured(exchange, pids, instruments, seconds)


def _enable_all(instruments: int) -> None:
    from marketdata import services
    from marketdata.loading.listing import sync_instruments
    from marketdata.models import Instrument

    sync_instruments(EXCHANGE)
    rows = list(Instrument.objects.filter(exchange=EXCHANGE))
    assert len(rows) == instruments, f"{len(rows)} instruments are listed"
    for row in rows:
        services.enable_instrument(row)


def _measured(
    exchange: SpawnedExchange, pids: dict[str, int], instruments: int, seconds: float
) -> Crowd:
    from marketdata.models import Candle, Collector, DataGap

    minutes = Candle.objects.filter(timeframe=1)
    _until("each has a candle", lambda: minutes.distinct("instrument").count() == instruments)
    first, since = _moment(exchange, pids), datetime.now(UTC)
    clock = [(first.exchange_s, first.wall_s)]
    while clock[-1][0] - first.exchange_s < seconds:
        time.sleep(0.4)
        with suppress(HTTPError):
            clock.append((_exchange_s(exchange), time.time()))
    last = _moment(exchange, pids)
    closed = minutes.filter(open_time__gt=since - timedelta(seconds=seconds))
    return Crowd(
        instruments=instruments,
        collectors=Collector.objects.filter(state=Collector.State.LIVE).count(),
        sockets=len(exchange.state()["connections"]),
        first=first,
        last=last,
        lags_ms=_lags_ms(since, clock),
        memory_mb={kind: memory_mb(pid) for kind, pid in pids.items()},
        gaps=DataGap.objects.live().filter(start__gte=since).count(),
        incomplete=closed.filter(open_time__gte=since, minutes=0).count(),
    )


def _exchange_s(exchange: SpawnedExchange) -> float:
    """Return its clock. Raises HTTPError where somebody asks too often."""
    with urllib.request.urlopen(f"{exchange.rest}/api/v5/public/time", timeout=60) as answer:
        return int(json.load(answer)["data"][0]["ts"]) / 1000


def _moment(exchange: SpawnedExchange, pids: dict[str, int]) -> Moment:
    rows = {
        table: int(execute(f"select count(*) from marketdata_{counted}")[0][0])
        for table, counted in _COUNTED.items()
    }
    return Moment(
        wall_s=time.time(),
        exchange_s=exchange.state()["exchangeMs"] / 1000,
        rows=rows,
        cpu_s={kind: cpu_s(pid) for kind, pid in pids.items()},
    )


def _lags_ms(since: datetime, clock: list[tuple[float, float]]) -> list[float]:
    """Return for each trade how long after its time, by the exchange's clock, it was stored."""
    rows: Any = execute(
        "select extract(epoch from executed_at)::float8, extract(epoch from received_at)::float8"
        " from marketdata_trade where received_at > %s",
        [since],
    )
    executed, received = np.array(rows, dtype=np.float64).reshape(-1, 2).T
    exchange_s, wall_s = np.array(clock).T
    is_seen = (executed >= exchange_s[0]) & (executed <= exchange_s[-1])
    lags = received[is_seen] - np.interp(executed[is_seen], exchange_s, wall_s)
    found: list[float] = (lags * 1000).tolist()
    return found


def _until(what: str, condition: Callable[[], bool], within_s: float = 600) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.5)


# ------------------------------------------------------------------ figures
def _load(crowd: Crowd) -> list[Figure]:
    seconds = crowd.last.exchange_s - crowd.first.exchange_s
    wall_s = crowd.last.wall_s - crowd.first.wall_s
    p50, p99 = percentile(crowd.lags_ms, 50), percentile(crowd.lags_ms, 99)
    broken = crowd.gaps + crowd.incomplete
    collectors = -(-crowd.instruments // 100)
    trades = crowd.rows_a_day("trade") / _DAY_S
    needed = TRADES_PER_S * crowd.instruments
    return [
        Figure(
            "collectors live",
            crowd.collectors,
            "",
            f"{collectors}",
            crowd.collectors == collectors,
            f"{crowd.instruments} instruments",
        ),
        Figure("sockets", crowd.sockets, "", f"{2 * collectors}", crowd.sockets == 2 * collectors),
        Figure("exchange seconds a second", seconds / wall_s, "", note=f"{wall_s:.0f} s"),
        Figure("trades a second", trades, "trades/s", f"{needed:,.0f}"),
        Figure("trade to stored row, p50", p50, "ms", note=f"{len(crowd.lags_ms):,} trades"),
        Figure("trade to stored row, p99", p99, "ms", "below 1,000", p99 < 1000),
        Figure("gaps left, incomplete minutes", broken, "", "0", broken == 0),
    ]


def _processes(crowd: Crowd) -> list[Figure]:
    seconds = crowd.last.exchange_s - crowd.first.exchange_s
    used = {kind: crowd.last.cpu_s[kind] - crowd.first.cpu_s[kind] for kind in crowd.memory_mb}
    return [
        Figure(
            f"{kind}: processor of each exchange second",
            100 * used[kind] / seconds,
            "% of one",
            note=f"{used[kind]:.1f} CPU s, {megabytes:,.0f} MB of memory",
        )
        for kind, megabytes in crowd.memory_mb.items()
    ]


def _tables(crowd: Crowd) -> list[Figure]:
    return [_table(crowd, table) for table in ROWS_A_DAY if table != "candleday"]


def _table(crowd: Crowd, table: str) -> Figure:
    rows, worked_out = crowd.rows_a_day(table), ROWS_A_DAY[table] * crowd.instruments
    each, kept = size_of(table).each, KEPT_DAYS.get(table, DAYS)
    note = f"{each:,.0f} bytes a row, {rows * each / 1e6:,.0f} MB a day"
    return Figure(
        f"{table}: rows a day",
        rows,
        "rows",
        f"{worked_out:,.0f} worked out",
        note=f"{note}, {rows * each * kept / 1e9:,.1f} GB in {kept} days",
    )
