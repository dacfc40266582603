"""What is wrong with a request for a chart, in a sentence for the person who made it."""

from __future__ import annotations

from marketdata.domain.errors import MarketDataError


class BadChartRequest(MarketDataError, ValueError):
    """The request cannot be answered as it stands: the message says what to change."""
