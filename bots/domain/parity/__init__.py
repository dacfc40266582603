"""Proving that a bot did what its backtest would have done."""
