"""Forms of the pages of backtests."""
