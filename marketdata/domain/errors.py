"""Errors named by what their reader must do."""

from __future__ import annotations


class MarketDataError(Exception):
    """The base of every error this package raises on purpose."""


class InvalidTimeframe(MarketDataError, ValueError):
    """The caller named a timeframe that does not exist: correct the call."""


class InvalidRecord(MarketDataError, ValueError):
    """A record breaks a rule of its type: refuse it, count it, go on."""


class UnsortedTrades(MarketDataError, ValueError):
    """Trades were handed over out of order or twice: the caller must sequence them first."""


class InvalidCandles(MarketDataError, ValueError):
    """Candles were handed over out of order, twice, or with prices that are no numbers."""


class BufferFull(MarketDataError):
    """More trades wait behind a hole than may: give up the oldest hole, then repeat the call."""


class InvalidIndicator(MarketDataError, ValueError):
    """The caller named an indicator or a parameter that does not exist: correct the call."""
