"""What 500 instruments need for two years, worked out from bytes a row that are measured.

A small store is filled as production fills it: candles of all timeframes by `write_candles`, trades
in batches by the collector's sink, raw messages in the exchange's own words. Compressed sizes are
those of TimescaleDB as WebAssembly (tests/timescale), where its packages are installed.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.benchmarks.figures import Figure
from tests.benchmarks.market import YEAR_START_MS, execute, make_instrument, walk

INSTRUMENTS, DAYS, TRADES_PER_S = 500, 730, 0.5
TRADES_KEPT_DAYS = 365
"""Trades are assumed at one in two seconds of each instrument on average; rows are linear in it."""

SAMPLE_INSTRUMENTS, SAMPLE_DAYS, SAMPLE_TRADES, SAMPLE_RAW = 5, 30, 500_000, 50_000
CANDLES_A_DAY: Final = 1440 + 288 + 96 + 24 + 6 + 1

ROWS_A_DAY: Final = {
    "candle": CANDLES_A_DAY,
    "candleday": 6,
    "trade": TRADES_PER_S * 86_400,
    "opening": 1440,
    "rawmessage_tickers": 8640,
    "rawmessage_books": 2880,
    "rawmessage_candle_pushes": 1440 * 4,
}
"""Rows a day of one instrument, at the default rates of TCPD_RAW_SECONDS."""

KEPT_DAYS: Final = {
    "trade": TRADES_KEPT_DAYS,
    "rawmessage_tickers": 14,
    "rawmessage_books": 14,
    "rawmessage_candle_pushes": 90,
}

_BYTES: Final = """
select pg_total_relation_size(name::regclass) + coalesce((
    select sum(pg_total_relation_size(relid)) from pg_partition_tree(name::regclass)
    where relid <> name::regclass
), 0) from (select %s::text) asked (name)
"""

_TICKER: Final = (
    b'{"instType":"SPOT","instId":"BTC-USDT","last":"%d.1","lastSz":"0.0127","askPx":"%d.2",'
    b'"askSz":"0.7351","bidPx":"%d.1","bidSz":"0.4418","open24h":"59817.6","high24h":"61344.4",'
    b'"low24h":"58951","volCcy24h":"513482195.7714","vol24h":"8531.44219","sodUtc0":"60123.4",'
    b'"sodUtc8":"60087.9","ts":"%d"}'
)
_LEVELS: Final = b",".join(b'["%d.%d","0.4418","0","3"]' for _ in range(5))
_BOOK: Final = b'{"asks":[' + _LEVELS + b'],"bids":[' + _LEVELS + b'],"ts":"%d","seqId":%d}'
_PUSH: Final = b'["%d","%d.1","%d.4","%d.2","%d.3","12.34567891","740123.45678901","740123.45","0"]'


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes and rows of one table of the sample."""

    table: str
    rows: int
    bytes: int

    @property
    def each(self) -> float:
        return self.bytes / self.rows


def run() -> list[Figure]:
    """Return bytes a row, rows and bytes of all instruments, and how fast they are written."""
    written = _fill()
    sizes = [size_of(table) for table in ROWS_A_DAY]
    return [
        *(_bytes_a_row(size) for size in sizes),
        *_compressed(sizes),
        *(_need(size) for size in sizes),
        Figure(
            "all of it, plain",
            sum(_total(size) for size in sizes) / 1e9,
            "GB",
            note=f"{INSTRUMENTS} instruments, {DAYS} days",
        ),
        *written,
    ]


def _bytes_a_row(size: Size) -> Figure:
    return Figure(f"{size.table}: bytes a row with its key", size.each, "bytes")


def _need(size: Size) -> Figure:
    kept = KEPT_DAYS.get(size.table, DAYS)
    rows = ROWS_A_DAY[size.table] * INSTRUMENTS
    note = f"{rows:,.0f} rows a day, {rows * size.each / 1e6:,.0f} MB a day, {kept} days kept"
    return Figure(f"{size.table}: all that is kept", _total(size) / 1e9, "GB", note=note)


def _total(size: Size) -> float:
    kept = KEPT_DAYS.get(size.table, DAYS)
    return ROWS_A_DAY[size.table] * INSTRUMENTS * kept * size.each


def size_of(table: str) -> Size:
    """Return the bytes of a table with its keys, partitions included, and its rows."""
    name = f"marketdata_{table}"
    rows = execute(f"select count(*) from {name}")[0][0]
    return Size(table, int(rows), int(execute(_BYTES, [name])[0][0]))


def _fill() -> list[Figure]:
    from marketdata.storage import write_candles

    markets = [make_instrument("bench-scale", number) for number in range(SAMPLE_INSTRUMENTS)]
    started = time.perf_counter()
    for number, market in enumerate(markets):
        write_candles(market, walk(SAMPLE_DAYS * 1440, seed=number), reason="bench")
    candles = SAMPLE_INSTRUMENTS * SAMPLE_DAYS * CANDLES_A_DAY / (time.perf_counter() - started)
    trades, raw = _fill_tape(markets[0]), _fill_raw(markets[0])
    needed = INSTRUMENTS * TRADES_PER_S
    execute("vacuum analyze")
    return [
        Figure("written: candles of all timeframes", candles, "rows/s"),
        Figure(
            "written: trades in batches of 5,000, with openings and minutes",
            trades,
            "trades/s",
            f"{needed:,.0f} on average, 5,000 at a peak",
            trades >= 5_000,
        ),
        Figure("written: raw messages", raw, "messages/s"),
    ]


def _fill_tape(market: Any) -> float:
    from marketdata.collector.ports import Batch, InstrumentBatch
    from marketdata.domain.aggregation import aggregate_minutes
    from marketdata.domain.events import Emission
    from marketdata.domain.records import TRADE_DTYPE
    from marketdata.domain.timeframe import DAY_MS
    from marketdata.storage.sink import DatabaseSink

    # After the candles, at the assumed rate.
    start_ms, step_ms = YEAR_START_MS + SAMPLE_DAYS * DAY_MS, int(1000 / TRADES_PER_S)
    random = np.random.default_rng(9)
    sink, took_s = DatabaseSink(None, market.exchange, None), 0.0
    for first in range(0, SAMPLE_TRADES, 5_000):
        trades = np.zeros(5_000, dtype=TRADE_DTYPE)
        ids = first + np.arange(5_000)
        trades["trade_id"], trades["time_ms"] = ids + 1, start_ms + ids * step_ms
        trades["price"] = np.round(40_000 + np.cumsum(random.normal(0, 0.3, 5_000)), 1)
        trades["size"] = np.round(random.exponential(0.1, 5_000) + 0.0001, 4)
        trades["side"], trades["count"] = 1, 1
        minutes = aggregate_minutes(trades, market.spec)[:-1]
        _, firsts = np.unique(trades["time_ms"] // 60_000, return_index=True)
        emission = Emission(trades=trades, minutes=minutes, openings=_openings(trades[firsts]))
        started = time.perf_counter()
        sink.commit(Batch((InstrumentBatch(market.symbol, emission, start_ms),)))
        took_s += time.perf_counter() - started
    return SAMPLE_TRADES / took_s


def _openings(firsts: Any) -> tuple[Any, ...]:
    from marketdata.domain.records import Opening

    return tuple(
        Opening(
            open_time_ms=int(one["time_ms"]) // 60_000 * 60_000,
            price=float(one["price"]),
            trade_id=int(one["trade_id"]),
            time_ms=int(one["time_ms"]),
        )
        for one in firsts
    )


def _fill_raw(market: Any) -> float:
    from marketdata.domain.raw import RawChannel, RawMessage
    from marketdata.storage.raw import RawWriter

    writer, took_s = RawWriter(market.exchange), 0.0
    random = np.random.default_rng(5)
    for channel in (RawChannel.TICKERS, RawChannel.BOOKS, RawChannel("candle_pushes")):
        for first in range(0, SAMPLE_RAW, 1_000):
            messages = []
            for number in range(first, first + 1_000):
                at = YEAR_START_MS + number * 500
                payload = _payload(channel.value, at, random.integers(59_000, 61_000, 12).tolist())
                messages.append(RawMessage(channel, market.symbol, at, at, payload))
            started = time.perf_counter()
            writer.write(messages)
            took_s += time.perf_counter() - started
    return 3 * SAMPLE_RAW / took_s


def _payload(channel: str, at: int, prices: list[int]) -> bytes:
    if channel == "tickers":
        return _TICKER % (*prices[:3], at)
    if channel == "books":
        digits = [price % 10 for price in prices[:10]]
        pairs = [value for pair in zip(prices[:10], digits, strict=True) for value in pair]
        return _BOOK % (*pairs, at, at)
    return _PUSH % (at, *prices[:4])


def _compressed(sizes: list[Size]) -> list[Figure]:
    from tests.timescale.compression import compressed_bytes
    from tests.timescale.conftest import FOLDER

    if shutil.which("node") is None or not (FOLDER / "node_modules").is_dir():
        return []
    found = compressed_bytes()
    return [
        Figure(
            f"{size.table}: bytes a row, compressed",
            found[size.table],
            "bytes",
            note=f"{size.each / found[size.table]:.1f} times smaller",
        )
        for size in sizes
        if size.table in found
    ]
