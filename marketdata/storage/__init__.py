"""Candles and trades in PostgreSQL: bulk reads into NumPy, and writes that can be repeated."""

from marketdata.storage.candles import read_candles, read_last_candles
from marketdata.storage.days import day_versions
from marketdata.storage.fingerprints import range_fingerprint
from marketdata.storage.sink import DatabaseSink
from marketdata.storage.trades import read_trades
from marketdata.storage.writing import WriteResult, write_candles

__all__ = [
    "DatabaseSink",
    "WriteResult",
    "day_versions",
    "range_fingerprint",
    "read_candles",
    "read_last_candles",
    "read_trades",
    "write_candles",
]
