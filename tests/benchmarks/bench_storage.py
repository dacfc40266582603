"""Writing and reading candles and trades, each against a bare COPY measured in the same run.

`python -m tests.benchmarks.bench_storage` prints the figures; `measure()` returns them. The
database is a fresh one on the configured server, or on an embedded one, and is dropped again.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np

from tests.benchmarks.figures import Figure

MINUTES = 525_600
ROUNDS = 5
START_MS = 1_704_067_200_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall and CPU seconds of this process for one run."""

    wall_s: float
    cpu_s: float


def run() -> list[Figure]:
    """Return the figures of `measure` as they are asked for."""
    measured = measure()
    write, read, trades = measured["write"], measured["read"], measured["trades"]
    return [
        Figure(
            "bare COPY of 525,600 candles",
            write["bare_copy"]["rows_per_s"],
            "rows/s",
            "ceiling of writing",
            note=_cpu(write["bare_copy"]),
        ),
        Figure(
            "write into an empty range: candles/s to bare COPY",
            write["insert_to_bare_by_rows"] * 100,
            "%",
            "at least 70",
            write["insert_to_bare_by_rows"] >= 0.70,
            f"all timeframes counted; {write['insert_to_bare_by_minutes']:.0%} by the time the "
            f"minutes took; {_cpu(write['insert'])}",
        ),
        Figure(
            "upsert that changes every candle: rows/s to bare COPY",
            write["upsert_to_bare_by_rows"] * 100,
            "%",
            "at least 35",
            write["upsert_to_bare_by_rows"] >= 0.35,
            f"revisions counted; {write['upsert_to_bare_by_minutes']:.0%} by the time the "
            f"minutes took; {_cpu(write['upsert'])}",
        ),
        Figure(
            "read into NumPy: time to bare binary COPY",
            read["times_bare_copy"],
            "times",
            "at most 1.5",
            read["times_bare_copy"] <= 1.5,
            f"{read['read']['rows_per_s']:,} rows/s; {_cpu(read['read'])}",
        ),
        Figure(
            "read into NumPy: faster than values_list",
            read["times_faster_than_values_list"],
            "times",
            "at least 4",
            read["times_faster_than_values_list"] >= 4,
            _cpu(read["values_list"]),
        ),
        Figure(
            "commit batches of 5,000 trades",
            trades["trades_per_s"],
            "trades/s",
            note=f"p99 {trades['commit_p99_ms']} ms, {trades['cpu_s_per_million']} CPU s a million",
        ),
    ]


def _cpu(summary: dict[str, float]) -> str:
    return f"{summary['cpu_s']} CPU s in Python"


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return every figure; the ratios are medians over rounds that measure both sides in turn."""
    with _fresh_database():
        return {
            "write": _measure_writes(rounds),
            "read": _measure_reads(rounds),
            "trades": _measure_trades(),
        }


def _measure_writes(rounds: int) -> dict[str, Any]:
    from marketdata.storage.writing import write_candles

    first, second = _year(0), _year(1)
    figures: dict[str, list[Timing]] = {"bare_copy": [], "insert": [], "upsert": []}
    # Instruments before and after those that are measured have candles too, as in a real table:
    # the last rows of an index are cheaper to add than any others.
    bare, ours, neighbour = _instrument(), _instrument(), _instrument()
    content = _copy_content(bare.pk, first)
    for _ in range(rounds):
        write_candles(neighbour, first[:1440], reason="bench")
        figures["bare_copy"].append(_time(partial(_bare_copy_in, content)))
        for name, candles in (("insert", first), ("upsert", second)):
            figures[name].append(_time(partial(write_candles, ours, candles, reason="bench")))
        candles_written, revisions_written = _count("candle", ours), _count("candlerevision", ours)
        _empty_tables()
    insert = _ratio(figures, "bare_copy", "insert")
    upsert = _ratio(figures, "bare_copy", "upsert")
    every_row = (candles_written + revisions_written) / MINUTES
    return {
        "minutes": MINUTES,
        "candles_of_all_timeframes": candles_written,
        "revisions_of_the_upsert": revisions_written,
        **{name: _summary(timings, MINUTES) for name, timings in figures.items()},
        # Seconds for the same minutes, though five timeframes and the revisions come on top ..
        "insert_to_bare_by_minutes": round(insert, 3),
        "upsert_to_bare_by_minutes": round(upsert, 3),
        # .. and rows a second, all rows counted.
        "insert_to_bare_by_rows": round(insert * candles_written / MINUTES, 3),
        "upsert_to_bare_by_rows": round(upsert * every_row, 3),
    }


def _measure_reads(rounds: int) -> dict[str, Any]:
    from marketdata.domain.timeframe import DAY_MS, Timeframe
    from marketdata.models import Candle
    from marketdata.storage.candles import read_candles
    from marketdata.storage.copying import column_names
    from marketdata.storage.rows import CANDLE_READ
    from marketdata.storage.writing import write_candles

    instrument = _instrument()
    write_candles(instrument, _year(0), reason="bench")
    _execute("vacuum analyze marketdata_candle")
    end_ms = START_MS + 365 * DAY_MS
    rows = Candle.objects.filter(instrument=instrument, timeframe=1).order_by("open_time")
    columns = column_names(CANDLE_READ)
    figures: dict[str, list[Timing]] = {"bare_copy": [], "read": [], "values_list": []}
    for _ in range(rounds):
        read = partial(read_candles, instrument, Timeframe.M1, START_MS, end_ms)
        figures["bare_copy"].append(_time(partial(_bare_copy_out, instrument.pk)))
        figures["read"].append(_time(read))
        figures["values_list"].append(_time(lambda: list(rows.values_list(*columns))))
    return {
        **{name: _summary(timings, MINUTES) for name, timings in figures.items()},
        "times_bare_copy": round(1 / _ratio(figures, "bare_copy", "read"), 3),
        "times_faster_than_values_list": round(_ratio(figures, "values_list", "read"), 2),
    }


def _measure_trades(batches: int = 60, size: int = 5_000) -> dict[str, Any]:
    from marketdata.collector.ports import Batch, InstrumentBatch
    from marketdata.domain.aggregation import aggregate_minutes
    from marketdata.domain.events import Emission
    from marketdata.storage.sink import DatabaseSink

    instrument = _instrument()
    sink = DatabaseSink(None, instrument.exchange, None)
    prepared = []
    for number in range(batches):
        trades = _trades(number, size)
        # A minute of the market in ten batches: one of them closes it.
        closes = aggregate_minutes(trades, instrument.spec)[: number % 10 == 9]
        emission = Emission(trades=trades, minutes=closes)
        prepared.append(Batch((InstrumentBatch(instrument.symbol, emission, START_MS),)))
    sink.commit(prepared[0])
    timings = [_time(partial(sink.commit, batch)) for batch in prepared[1:]]
    walls = sorted(timing.wall_s for timing in timings)
    return {
        "batch": size,
        "trades_per_s": round(size * len(walls) / sum(walls)),
        "commit_median_ms": round(statistics.median(walls) * 1000, 2),
        "commit_p99_ms": round(walls[int(len(walls) * 0.99)] * 1000, 2),
        "cpu_s_per_million": round(sum(t.cpu_s for t in timings) / size / len(walls) * 1e6, 2),
    }


def _year(seed: int) -> Any:
    from marketdata.domain.records import CANDLE_DTYPE, Source

    random = np.random.default_rng(seed)
    candles = np.zeros(MINUTES, dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = START_MS + np.arange(MINUTES) * 60_000
    close = 40_000 + np.round(np.cumsum(random.normal(0, 1, MINUTES)), 1)
    candles["open"], candles["close"] = close, np.roll(close, -1)
    candles["high"] = np.maximum(candles["open"], candles["close"]) + 0.5
    candles["low"] = np.minimum(candles["open"], candles["close"]) - 0.5
    candles["volume"] = np.round(random.exponential(1, MINUTES), 4)
    candles["quote_volume"] = np.round(candles["volume"] * close, 6)
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = -1
    candles["minutes"] = 1
    candles["source"] = Source.EXCHANGE
    return candles


def _trades(number: int, size: int) -> Any:
    from marketdata.domain.records import TRADE_DTYPE

    trades = np.zeros(size, dtype=TRADE_DTYPE)
    ids = number * size + np.arange(size)
    trades["trade_id"], trades["time_ms"] = ids + 1, START_MS + ids * 60_000 // (10 * size)
    trades["price"], trades["size"] = 100 + ids % 100 / 10, 0.001 * (1 + ids % 50)
    trades["side"], trades["count"] = 1, 1
    return trades


def _instrument() -> Any:
    from marketdata.models import Instrument

    number = Instrument.objects.count()
    sizes = {"tick_size": "0.1", "lot_size": "0.0001", "min_size": "0.0001"}
    instrument = Instrument.objects.create(
        exchange="bench", symbol=f"B{number}-USDT", kind="spot", base="B", quote="USDT", **sizes
    )
    instrument.refresh_from_db()
    return instrument


def _copy_content(instrument_id: int, candles: Any) -> bytes:
    from marketdata.domain.timeframe import Timeframe
    from marketdata.storage.copying import encoded
    from marketdata.storage.rows import CANDLE_WRITE, candle_columns

    columns = candle_columns(instrument_id, Timeframe.M1, candles)
    return b"".join(encoded(CANDLE_WRITE, len(candles), columns))


def _bare_copy_in(content: bytes) -> None:
    from django.db import connection

    from marketdata.storage.copying import column_names
    from marketdata.storage.rows import CANDLE_WRITE

    columns = ", ".join(column_names(CANDLE_WRITE))
    with connection.cursor() as cursor:
        cursor.copy_expert(
            f"copy marketdata_candle ({columns}) from stdin (format binary)",
            BytesIO(content),
            1 << 18,
        )


def _bare_copy_out(instrument_id: int) -> None:
    from django.db import connection

    from marketdata.storage.copying import column_names
    from marketdata.storage.rows import CANDLE_READ

    columns = ", ".join(column_names(CANDLE_READ))
    with connection.cursor() as cursor:
        cursor.copy_expert(
            f"copy (select {columns} from marketdata_candle where instrument_id = {instrument_id}"
            " and timeframe = 1 order by open_time) to stdout (format binary)",
            BytesIO(),
        )


def _count(table: str, instrument: Any) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"select count(*) from marketdata_{table} where instrument_id = %s", [instrument.pk]
        )
        return int(cursor.fetchone()[0])


def _empty_tables() -> None:
    _execute("truncate marketdata_candle, marketdata_candleday, marketdata_candlerevision")
    _execute("checkpoint")


def _execute(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


def _time(work: Callable[[], object]) -> Timing:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def _summary(timings: list[Timing], rows: int) -> dict[str, float]:
    median = statistics.median(timing.wall_s for timing in timings)
    cpu = statistics.median(timing.cpu_s for timing in timings)
    return {"seconds": round(median, 3), "cpu_s": round(cpu, 3), "rows_per_s": round(rows / median)}


def _ratio(figures: dict[str, list[Timing]], one: str, other: str) -> float:
    """Return the median of the rounds' ratios: how many times `other` fits into `one`."""
    return statistics.median(
        first.wall_s / second.wall_s
        for first, second in zip(figures[one], figures[other], strict=True)
    )


@contextmanager
def _fresh_database() -> Iterator[None]:
    from tcpdashboard.embedded import engines_for_this_process

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
    with engines_for_this_process():
        import django
        from django.test.utils import setup_databases, teardown_databases

        django.setup()
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            yield
        finally:
            teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
