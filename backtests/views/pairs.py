"""The round trips of two runs side by side: those that are not the same, a page at a time."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from backtests.charts.numbers import money, percent, tone
from backtests.charts.trips import trip_rows
from backtests.domain.pairing import Kind, Pair, kinds_of, pair_trips
from backtests.models import Backtest
from backtests.storage.results import ResultGone, StoredRun, read_run
from backtests.views.paging import page_of
from marketdata.models import from_ms
from marketdata.views.quotes import price_decimals

PAGE: Final = 100
_KINDS: Final[tuple[Kind, ...]] = ("same", "differs", "left", "right")


def differences(left: Backtest, right: Backtest, page: str) -> dict[str, Any]:
    """Return how many round trips are the same, and a page of those that are not."""
    told: dict[str, Any] = {"left": left, "right": right}
    try:
        runs = read_run(left), read_run(right)
    except ResultGone as error:
        return told | {"gone": str(error)}
    pairs = pair_trips(runs[0].trips, runs[1].trips)
    kinds = _kinds(pairs, runs)
    differing = [place for place, kind in enumerate(kinds) if kind != "same"]
    shown = page_of(page, len(differing), PAGE)
    decimals = price_decimals(left.instrument), price_decimals(right.instrument)
    return told | {
        "counts": {kind: kinds.count(kind) for kind in _KINDS},
        "pairs": [
            _row(pairs[place], kinds[place], runs, decimals) for place in differing[shown.rows]
        ],
        "page": shown,
    }


def _kinds(pairs: list[Pair], runs: tuple[StoredRun, StoredRun]) -> list[Kind]:
    left, right = runs
    kinds = kinds_of(pairs, left.trips, right.trips)
    if left.units == right.units:
        return kinds
    # Ticks and lots of other instruments: equal numbers mean nothing.
    return ["differs" if kind == "same" else kind for kind in kinds]


def _row(
    pair: Pair, kind: Kind, runs: tuple[StoredRun, StoredRun], decimals: tuple[int, int]
) -> dict[str, Any]:
    sides = [
        _trip(run, place, digits)
        for run, place, digits in zip(runs, (pair.left, pair.right), decimals, strict=True)
    ]
    first, second = sides
    profits = [one["profit"] for one in sides if one is not None and one["profit"] is not None]
    gap = profits[1] - profits[0] if len(profits) == len(sides) else None
    (entry, *_) = (one for one in sides if one is not None)
    return {
        "kind": kind,
        "entry": from_ms(entry["entry_ms"]),
        "side": entry["side"],
        "first": first,
        "second": second,
        "gap": money(gap, signed=True),
        "tone": tone(gap),
    }


def _trip(run: StoredRun, place: int | None, decimals: int) -> dict[str, Any] | None:
    if place is None:
        return None
    (row,) = trip_rows(run.trips, np.array([place]), run.units)
    return row | {
        "exit": None if row["exit_ms"] is None else from_ms(row["exit_ms"]),
        "decimals": decimals,
        "share_text": percent(row["share"], signed=True),
    }
