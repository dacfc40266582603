"""The REST endpoints of market data."""
