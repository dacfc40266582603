"""Asks the exchange for its own candles of minutes built here, and again for trades that differ."""
