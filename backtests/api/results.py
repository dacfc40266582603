"""What a finished backtest left in its file, as an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException

from backtests.domain.roundtrips import fills_of
from backtests.domain.statements import equity_columns, fill_rows, fills_as_csv
from backtests.domain.thinning import thinned
from backtests.domain.units import Units
from backtests.models import Backtest
from backtests.storage.artefacts import Changed, load_arrays


class NoResult(APIException):
    """The detail says why there is nothing to show."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "no_result"


def fills(backtest: Backtest, first: int, limit: int) -> dict[str, Any]:
    """Return how many fills there are, and `limit` of them from number `first` on."""
    events = _arrays(backtest)["events"]
    units = Units.from_json(backtest.units)
    return {
        "total": len(fills_of(events)),
        "fills": fill_rows(events, units, first, limit),
    }


def equity(backtest: Backtest, most: int) -> dict[str, Any]:
    """Return the equity at no more than `most` minutes, every extreme among them."""
    kept = _arrays(backtest)
    shown = thinned(kept["equity"], most)
    units = Units.from_json(backtest.units)
    return equity_columns(kept["close_times"][shown], kept["equity"][shown], units)


def fills_csv(backtest: Backtest) -> Iterator[str]:
    """Yield all fills as CSV with a header."""
    events, units = _arrays(backtest)["events"], Units.from_json(backtest.units)
    return fills_as_csv(events, units)


def _arrays(backtest: Backtest) -> dict[str, Any]:
    if not backtest.artefact:
        raise NoResult(f"backtest {backtest.pk} is {backtest.state}: it has no result")
    try:
        return load_arrays(backtest.artefact)
    except (FileNotFoundError, Changed) as error:
        raise NoResult(f"the file of backtest {backtest.pk} is lost: {error}") from error
