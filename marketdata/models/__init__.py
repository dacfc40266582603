"""The tables of market data."""

from marketdata.models.admin_rows import CandleRow, RevisionRow, TradeRow
from marketdata.models.bulk import (
    SOURCE_CHOICES,
    TIMEFRAME_CHOICES,
    Candle,
    CandleDay,
    CandleRevision,
    Opening,
    Trade,
)
from marketdata.models.collection import Collector, DataGap
from marketdata.models.instruments import Instrument, InstrumentQuerySet
from marketdata.models.times import from_ms, to_ms

__all__ = [
    "SOURCE_CHOICES",
    "TIMEFRAME_CHOICES",
    "Candle",
    "CandleDay",
    "CandleRevision",
    "CandleRow",
    "Collector",
    "DataGap",
    "Instrument",
    "InstrumentQuerySet",
    "Opening",
    "RevisionRow",
    "Trade",
    "TradeRow",
    "from_ms",
    "to_ms",
]
