"""Columns that several tables of the bots have alike."""

from __future__ import annotations

from typing import Any

from django.db import models

from marketdata.domain.timeframe import Timeframe

TIMEFRAMES = [(one.value, one.value) for one in Timeframe]


def money(**options: Any) -> models.DecimalField[Any, Any]:
    """Return a column for prices, quantities and amounts: what the kernel's integers mean."""
    return models.DecimalField(max_digits=40, decimal_places=20, **options)
