"""What backtests keep in files: columns of candles, which can be made anew, and results."""
