"""A whole result to JSON and back: nothing is lost, and the hash is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.records import EVENT, Events, Integers, Rules
from backtests.domain.result import BacktestResult
from backtests.domain.units import Units

FORMAT: Final = 1
_SERIES: Final = ("close_times", "closes", "equity", "indicator_times")


class UnknownFormat(ValueError):
    """What is read was written by another version, or is no result."""


def result_as_json(result: BacktestResult) -> dict[str, Any]:
    """Return a result for JSON: arrays as lists, NaN of indicators as null."""
    return {
        **head_as_json(result),
        **{name: getattr(result, name).tolist() for name in _SERIES},
        "events": {name: result.events[name].tolist() for name in EVENT.names or ()},
        "indicators": {name: _nulled(values) for name, values in result.indicators.items()},
    }


def result_from_json(stored: Mapping[str, Any]) -> BacktestResult:
    """Return the result that `result_as_json` wrote. Raises UnknownFormat."""
    try:
        series = {name: np.array(stored[name], dtype=np.int64) for name in _SERIES}
        columns = {name: np.array(stored["events"][name], np.int64) for name in EVENT.names or ()}
        indicators = {
            str(name): np.array(values, dtype=np.float64)
            for name, values in stored["indicators"].items()
        }
        return result_of(stored, series, events_of(columns), indicators)
    except (KeyError, TypeError, AttributeError) as error:
        raise UnknownFormat(f"this is no result: {error!r}") from error


def head_as_json(result: BacktestResult) -> dict[str, Any]:
    """Return what of a result is no array."""
    return {
        "format": FORMAT,
        "units": result.units.as_json(),
        "rules": {name: int(value) for name, value in result.rules._asdict().items()},
        "start_cash": result.start_cash,
        "result_hash": result.digest,
    }


def result_of(
    head: Mapping[str, Any],
    series: Mapping[str, Integers],
    events: Events,
    indicators: dict[str, NDArray[np.float64]],
) -> BacktestResult:
    """Put a result together again. Raises UnknownFormat, also where its hash is another."""
    if head.get("format") != FORMAT:
        raise UnknownFormat(f"expected format {FORMAT}; was {head.get('format')!r}")
    rules = dict(head["rules"])
    flags = {name: bool(rules[name]) for name in ("is_short_allowed", "is_margined")}
    result = BacktestResult(
        units=Units.from_json(head["units"]),
        rules=Rules(**{**rules, **flags}),
        start_cash=int(head["start_cash"]),
        events=events,
        indicators=indicators,
        **series,
    )
    if result.digest != head["result_hash"]:
        raise UnknownFormat("its hash is not that of what it holds: it was changed")
    return result


def events_of(columns: Mapping[str, Integers]) -> Events:
    """Return events from their columns."""
    events = np.zeros(len(columns["time_ms"]), EVENT)
    for name in EVENT.names or ():
        events[name] = columns[name]
    return events


def _nulled(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
