"""Candles and trades in PostgreSQL: bulk reads into NumPy, and writes that can be repeated."""

from marketdata.storage.candles import read_bounds, read_candles, read_last_candles
from marketdata.storage.covering import Cover, Coverage, coverage
from marketdata.storage.days import day_versions
from marketdata.storage.examining import integrity
from marketdata.storage.fingerprints import Held, range_fingerprint
from marketdata.storage.sink import DatabaseSink
from marketdata.storage.trades import read_trades
from marketdata.storage.writing import WriteResult, write_candles

__all__ = [
    "Cover",
    "Coverage",
    "DatabaseSink",
    "Held",
    "WriteResult",
    "coverage",
    "day_versions",
    "integrity",
    "range_fingerprint",
    "read_bounds",
    "read_candles",
    "read_last_candles",
    "read_trades",
    "write_candles",
]
