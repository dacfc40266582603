"""The tables of backtests."""

from backtests.models.backtests import Backtest, BacktestQuerySet, Figures

__all__ = ["Backtest", "BacktestQuerySet", "Figures"]
