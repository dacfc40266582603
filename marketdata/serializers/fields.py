"""Field types of the REST endpoints."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketdata.models import to_ms

MOST_DIGITS: Final = 13  # of any later time; int() refuses thousands of digits by an exception
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01: later times are seconds or typing errors


@extend_schema_field({"type": "string", "example": "2026-11-22T00:00:00Z"})
class TimeField(serializers.Field[int, str, int, Any]):
    """A time as UTC milliseconds or ISO 8601 with an offset; milliseconds inside."""

    default_error_messages = {
        "invalid": (
            "expected UTC milliseconds such as 1763769600000, or ISO 8601 with an offset "
            "such as 2026-11-22T00:00:00Z; was {text!r}"
        ),
    }

    def to_internal_value(self, data: str) -> int:
        text = str(data)
        is_number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
        time_ms = int(text) if is_number else self._iso(text)
        if not 0 <= time_ms < LATEST_MS:
            self.fail("invalid", text=text)
        return time_ms

    def to_representation(self, value: int) -> int:
        return value

    def _iso(self, text: str) -> int:
        # A + that was not escaped in a query string arrives as a space.
        try:
            time = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            self.fail("invalid", text=text)
        return to_ms(time)


@extend_schema_field({"type": "string", "example": "0.1"})
class PlainDecimalField(serializers.Field[Decimal, str, str, Any]):
    """A decimal without an exponent and without trailing zeros."""

    def to_representation(self, value: Decimal) -> str:
        return f"{value.normalize():f}"


class Integers(serializers.ListField):
    """A column of integers."""

    child = serializers.IntegerField()


class Floats(serializers.ListField):
    """A column of floating-point numbers."""

    child = serializers.FloatField()
