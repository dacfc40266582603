"""The REST endpoints of backtests."""
