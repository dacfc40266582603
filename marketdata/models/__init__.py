"""The tables of market data."""

from marketdata.models.admin_rows import CandleRow, RawRow, RevisionRow, TradeRow
from marketdata.models.bulk import (
    SOURCE_CHOICES,
    TIMEFRAME_CHOICES,
    Candle,
    CandleDay,
    CandleRevision,
    Opening,
    Trade,
)
from marketdata.models.checks import CHECK_BYTES, CandleCheck, CandleConflict
from marketdata.models.collection import Collector, CollectorRestart, RestartReason
from marketdata.models.credentials import ExchangeCredential
from marketdata.models.gaps import (
    GAP_TRANSITIONS,
    LIVE_STATES,
    DataGap,
    DataGapQuerySet,
    GapState,
    RangeLock,
    RefusedBatch,
    TapeScan,
)
from marketdata.models.instruments import Instrument, InstrumentQuerySet
from marketdata.models.raw import (
    SHORTEST_TRADE_DAYS,
    TRADES,
    Archive,
    RawMessage,
    RetentionPolicy,
)
from marketdata.models.times import from_ms, to_ms

__all__ = [
    "CHECK_BYTES",
    "GAP_TRANSITIONS",
    "LIVE_STATES",
    "SHORTEST_TRADE_DAYS",
    "SOURCE_CHOICES",
    "TIMEFRAME_CHOICES",
    "TRADES",
    "Archive",
    "Candle",
    "CandleCheck",
    "CandleConflict",
    "CandleDay",
    "CandleRevision",
    "CandleRow",
    "Collector",
    "CollectorRestart",
    "DataGap",
    "DataGapQuerySet",
    "ExchangeCredential",
    "GapState",
    "Instrument",
    "InstrumentQuerySet",
    "Opening",
    "RangeLock",
    "RawMessage",
    "RawRow",
    "RefusedBatch",
    "RestartReason",
    "RetentionPolicy",
    "RevisionRow",
    "TapeScan",
    "Trade",
    "TradeRow",
    "from_ms",
    "to_ms",
]
