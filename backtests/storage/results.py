"""What a finished run left in its file, as pages read it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Final

from backtests.domain.records import Events, Integers
from backtests.domain.roundtrips import RoundTrips, fills_of, round_trips
from backtests.domain.units import Units
from backtests.models import Backtest
from backtests.storage.artefacts import Changed, load_arrays

_KEPT: Final = 3
"""Files kept in memory: a reader of one page asks for the same one again and again."""


class ResultGone(Exception):
    """The file of a result cannot be read any more; its figures and thinned curve still can."""


@dataclass(frozen=True)
class StoredRun:
    """The arrays of a finished run; `start` is the initial balance in cash units."""

    units: Units
    start: int
    events: Events
    close_times: Integers
    closes: Integers
    equity: Integers

    @cached_property
    def fills(self) -> Events:
        """The fills, in order."""
        return fills_of(self.events)

    @cached_property
    def trips(self) -> RoundTrips:
        """The round trips, in order; the last may be open."""
        return round_trips(self.events, self.units.cash_per_tick_lot)


def read_run(backtest: Backtest) -> StoredRun:
    """Return what a finished backtest left. Raises ResultGone."""
    if not backtest.artefact:
        raise ResultGone(f"backtest {backtest.pk} is {backtest.state}: it has no result")
    try:
        arrays = _arrays(backtest.artefact)
    except (OSError, Changed) as error:
        raise ResultGone(f"the file of backtest {backtest.pk} is lost: {error}") from error
    units = Units.from_json(backtest.units)
    start = units.cash_to_units(Decimal(backtest.trading["cash"]))
    return StoredRun(units=units, start=start, **{name: arrays[name] for name in _NAMES})


_NAMES: Final = ("events", "close_times", "closes", "equity")


@lru_cache(maxsize=_KEPT)
def _arrays(name: str) -> dict[str, Any]:
    # Named for its content: what was read once cannot be outdated.
    return load_arrays(name)
