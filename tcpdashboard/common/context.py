"""What every template knows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def exchange(request: HttpRequest) -> dict[str, object]:
    """Name the exchange, and say whether its data is simulated."""
    return {
        "exchange_name": settings.EXCHANGE,
        "is_simulated": is_simulated(settings.EXCHANGE),
    }


def is_simulated(exchange_name: str) -> bool:
    """Return whether data of this exchange comes from the simulated one, by its name's ending."""
    return exchange_name.endswith("-sim")
