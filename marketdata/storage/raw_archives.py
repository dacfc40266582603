"""What of a partition goes into its archive."""

from __future__ import annotations

from typing import Final

from psycopg2 import sql

from marketdata.storage.partitions import Partition

_ROWS: Final = (
    "select r.id, r.channel, r.exchange, i.symbol, r.exchange_time, r.received_at, r.payload"
    " from {table} r left join marketdata_instrument i on i.id = r.instrument_id"
    " order by r.exchange_time, r.id"
)


def partition_query(partition: Partition) -> sql.Composed:
    """Return the query of a partition's rows for an archive."""
    return sql.SQL(_ROWS).format(table=sql.Identifier(partition.table))
