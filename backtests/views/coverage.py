"""What is stored of an instrument, shown beside the range that a backtest is asked over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.utils.dateparse import parse_datetime

from marketdata.domain.integrity import Integrity
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Instrument, from_ms, to_ms
from marketdata.storage import integrity
from marketdata.views.windows import stored_stretch

RANGES: Final = {"30 days": 30, "90 days": 90, "1 year": 365, "3 years": 1096}
_LONGEST_MS: Final = 20 * 366 * DAY_MS


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A range that a button sets."""

    title: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Covered:
    """What is stored: from when to when at all, and how much of the chosen range.

    `tone` is good, warn or bad by whether a backtest over it runs without a word, with a badge,
    or not at all.
    """

    instrument: Instrument
    first: datetime
    end: datetime
    suggestions: tuple[Suggestion, ...]
    chosen: Integrity | None
    tone: str


def coverage_of(query: Mapping[str, str]) -> Covered | None:
    """Return what is stored of `instrument` (exchange:symbol), and from `start` to `end`."""
    exchange, _, symbol = query.get("instrument", "").partition(":")
    instrument = Instrument.objects.filter(exchange=exchange, symbol=symbol).first()
    stretch = stored_stretch(instrument, Timeframe.M1) if instrument else None
    if instrument is None or stretch is None:
        return None
    chosen = _chosen(instrument, _time(query.get("start", "")), _time(query.get("end", "")))
    return Covered(
        instrument=instrument,
        first=from_ms(stretch[0]),
        end=from_ms(stretch[1]),
        suggestions=tuple(_suggestions(*stretch)),
        chosen=chosen,
        tone=tone_of(chosen),
    )


def _chosen(instrument: Instrument, start_ms: int | None, end_ms: int | None) -> Integrity | None:
    if start_ms is None or end_ms is None or not 0 < end_ms - start_ms <= _LONGEST_MS:
        return None
    return integrity(instrument, Timeframe.M1, start_ms, end_ms, is_hashed=False)


def tone_of(found: Integrity | None) -> str:
    """Return the class by what a backtest of it would be: good, warned of, or bad: refused."""
    share = (found.complete_share or 0.0) if found else 0.0
    if share >= settings.BACKTEST_WARN_BELOW:
        return "good"
    return "warn" if share >= settings.BACKTEST_REFUSE_BELOW else "bad"


def _suggestions(first_ms: int, end_ms: int) -> list[Suggestion]:
    found = [
        Suggestion(title, _text(end_ms - days * DAY_MS), _text(end_ms))
        for title, days in RANGES.items()
        if end_ms - days * DAY_MS > first_ms
    ]
    return [*found, Suggestion("All", _text(first_ms), _text(end_ms))]


def _text(time_ms: int) -> str:
    return f"{from_ms(time_ms):%Y-%m-%dT%H:%M}"


def _time(text: str) -> int | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    if found is None or not 1970 <= found.year < 2100:
        return None
    time_ms = to_ms(found if found.tzinfo else found.replace(tzinfo=UTC))
    return time_ms - time_ms % MINUTE_MS
