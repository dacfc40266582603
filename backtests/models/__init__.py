"""The tables of backtests."""

from backtests.models.backtests import Backtest, BacktestQuerySet
from backtests.models.figures import Figures
from backtests.models.searches import Search, SearchBatch, SearchQuerySet, Trial

__all__ = [
    "Backtest",
    "BacktestQuerySet",
    "Figures",
    "Search",
    "SearchBatch",
    "SearchQuerySet",
    "Trial",
]
