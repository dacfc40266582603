"""Which exchanges are simulated."""

from __future__ import annotations


def is_simulated(exchange: str) -> bool:
    """Return whether data of `exchange` comes from the simulated one, by its name's ending."""
    return exchange.endswith("-sim")
