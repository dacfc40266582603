"""Input and output of the REST endpoints of market data."""
