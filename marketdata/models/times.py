"""Milliseconds and datetimes: the one conversion at Django's edge."""

from __future__ import annotations

from datetime import UTC, datetime


def from_ms(time_ms: int) -> datetime:
    """Return UTC milliseconds as an aware datetime."""
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).replace(
        microsecond=time_ms % 1000 * 1000
    )


def to_ms(time: datetime) -> int:
    """Return an aware datetime as UTC milliseconds."""
    return int(time.timestamp()) * 1000 + time.microsecond // 1000
