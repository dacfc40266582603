"""How small TimescaleDB makes candles and trades of a random walk: bytes a row."""

from __future__ import annotations

import shutil

import psycopg2

from tests.timescale.conftest import timescale_server

ROWS = 100_000

_CANDLES = """
create table candle (open_time timestamptz not null, open float8, high float8, low float8,
    close float8, volume float8, quote_volume float8, trade_count int8, first_trade_id int8,
    last_trade_id int8, closed_at timestamptz, instrument_id int8 not null, revision int,
    timeframe smallint not null, minutes smallint, source smallint,
    primary key (instrument_id, timeframe, open_time))
"""
_FILL_CANDLES = """
insert into candle
select timestamptz '2024-01-01 00:00Z' + n * interval '1 min', price,
    round((price + random())::numeric, 1), round((price - random())::numeric, 1),
    round((price + random() - 0.5)::numeric, 1), volume, round((volume * price)::numeric, 6),
    trades, n * 30, n * 30 + trades, timestamptz '2024-01-01 00:01Z' + n * interval '1 min', 1, 0,
    1, 1, 0
from (select n, round((40000 + sum(random() - 0.5) over (order by n))::numeric, 1)::float8 as price,
    round((-ln(random() + 1e-9))::numeric, 4)::float8 as volume, (1 + random() * 60)::int as trades
    from generate_series(0, %s) n) walk
"""
_TRADES = """
create table trade (executed_at timestamptz not null, trade_id int8 not null, price float8,
    size float8, received_at timestamptz, count int, instrument_id int8 not null, side smallint,
    primary key (instrument_id, executed_at, trade_id))
"""
_FILL_TRADES = """
insert into trade
select at, n, price, round((0.0001 - ln(random() + 1e-9) / 10)::numeric, 4)::float8,
    at + random() * interval '300 ms', 1, 1, case when random() < 0.5 then 1 else -1 end
from (select n, round((40000 + sum((random() - 0.5) / 5) over (order by n))::numeric, 1)::float8
    as price, date_trunc('milliseconds', timestamptz '2024-01-01 00:00Z'
        + n * interval '860 ms' + random() * interval '800 ms') as at
    from generate_series(1, %s) n) walk
"""


def compressed_bytes() -> dict[str, float]:
    """Return the bytes a row of compressed chunks with their indexes, by table."""
    with timescale_server(shutil.which("node") or "node") as port:
        connection = psycopg2.connect(
            dbname="postgres",
            user="postgres",
            password="postgres",
            host="127.0.0.1",
            port=port,
            sslmode="disable",
        )
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("create extension timescaledb")
            found = {
                "candle": _measured(
                    cursor, "candle", _CANDLES, _FILL_CANDLES, "open_time", "14 days", "timeframe, "
                ),
                "trade": _measured(
                    cursor, "trade", _TRADES, _FILL_TRADES, "executed_at", "1 day", ""
                ),
            }
        connection.close()
    return found


def _measured(cursor, table, create, fill, time, chunk, segment) -> float:
    cursor.execute(create)
    cursor.execute(
        "select create_hypertable(%s::regclass, by_range(%s, %s::interval),"
        " create_default_indexes => false)",
        [table, time, chunk],
    )
    cursor.execute(
        f"alter table {table} set (timescaledb.enable_columnstore,"
        f" timescaledb.segmentby = '{segment}instrument_id', timescaledb.orderby = '{time} desc')"
    )
    cursor.execute(fill, [ROWS])
    cursor.execute("select compress_chunk(chunk) from show_chunks(%s) chunk", [table])
    cursor.execute("select hypertable_size(%s)", [table])
    return cursor.fetchone()[0] / ROWS
