"""The pages of backtests: what is asked for is checked, read, and drawn."""
