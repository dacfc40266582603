"""Which of two candles of the same time stays, for whole arrays at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidRecord
from marketdata.domain.records import Candles, Source

FIGURES: Final = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trade_count",
    "minutes",
    "source",
)
"""What a candle says; the rest is how it came about."""

Rule = Callable[[Candles, Candles], NDArray[np.bool_]]
"""Of two arrays of the same times, stored and incoming: where the incoming candle replaces."""

# By source: trades beat the exchange's candle, which beats an imported one; a flat minute is only
# provisional. A minute with trades missing beats only another such, by the same order, and a flat.
_WHOLE: Final = np.array([6, 5, 4, 0])
_INCOMPLETE: Final = np.array([3, 2, 1, 0])


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a stretch of candles.

    `after` is the whole stretch; `inserted` and `changed` mark its new and its replaced candles;
    `before` are the replaced candles as they were, in order.
    """

    after: Candles
    inserted: NDArray[np.bool_]
    changed: NDArray[np.bool_]
    before: Candles


def merge(stored: Candles, incoming: Candles, replaces: Rule) -> Merged:
    """Return `stored` with `incoming` put in; both are in strict order of open time.

    A replaced candle keeps the time at which it was closed and gets the next revision. Raises
    InvalidRecord when `incoming` is out of order or names a time twice.
    """
    if np.any(np.diff(incoming["open_time_ms"]) <= 0):
        raise InvalidRecord("candles must be in strict order of open time")
    place = np.searchsorted(stored["open_time_ms"], incoming["open_time_ms"])
    is_known = are_among(incoming["open_time_ms"], stored["open_time_ms"])
    known = np.flatnonzero(is_known)
    if not len(known):
        return _inserted(stored, incoming, place)
    won = known[replaces(_at(stored, place[known]), _at(incoming, known))]
    after, before = stored.copy(), _at(stored, place[won])
    after[place[won]] = _next_revisions(before, _at(incoming, won))
    inserted, changed = np.zeros(len(stored), dtype=bool), np.zeros(len(stored), dtype=bool)
    changed[place[won]] = True
    if len(known) == len(incoming):
        return Merged(after, inserted, changed, before)
    fresh = place[~is_known]
    return Merged(
        after=np.insert(after, fresh, incoming[~is_known]),
        inserted=np.insert(inserted, fresh, True),
        changed=np.insert(changed, fresh, False),
        before=before,
    )


def are_among(times: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of `times` are among `others`; both rise strictly."""
    if not len(others):
        return np.zeros(len(times), dtype=bool)
    place = np.searchsorted(others, times)
    found: NDArray[np.bool_] = others[np.minimum(place, len(others) - 1)] == times
    return found


def _inserted(stored: Candles, incoming: Candles, place: NDArray[np.intp]) -> Merged:
    is_new = np.insert(np.zeros(len(stored), dtype=bool), place, True)
    after = np.insert(stored, place, incoming) if len(stored) else incoming
    return Merged(after, is_new, np.zeros(len(after), dtype=bool), stored[:0])


def _at(candles: Candles, rows: NDArray[np.intp]) -> Candles:
    # Rows that follow each other, the case of a long rewrite, need no copy.
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return candles[rows[0] : rows[-1] + 1]
    chosen: Candles = candles[rows]
    return chosen


def differs(stored: Candles, incoming: Candles) -> NDArray[np.bool_]:
    """Return where two candles of the same time do not say the same."""
    different = np.zeros(len(stored), dtype=bool)
    for name in (*FIGURES, "first_trade_id", "last_trade_id"):
        different |= stored[name] != incoming[name]
    return different


def better_minutes(stored: Candles, incoming: Candles) -> NDArray[np.bool_]:
    """Return where an incoming 1m candle is worth more than the stored one.

    Of two that were built from trades the one of more trades is; an exchange or an import may
    correct itself; a flat minute never replaces another, so that a repeated batch changes nothing.
    """
    rank, new_rank = _ranks(stored), _ranks(incoming)
    corrects = np.select(
        [incoming["source"] == Source.TRADES, incoming["source"] == Source.FLAT],
        [incoming["trade_count"] > stored["trade_count"], False],
        differs(stored, incoming),
    )
    better: NDArray[np.bool_] = (new_rank > rank) | ((new_rank == rank) & corrects)
    return better


def _ranks(minutes: Candles) -> NDArray[np.int64]:
    source = minutes["source"]
    ranks: NDArray[np.int64]
    ranks = np.where(minutes["minutes"] > 0, _WHOLE[source], _INCOMPLETE[source])
    return ranks


def _next_revisions(stored: Candles, incoming: Candles) -> Candles:
    candles = incoming.copy()
    candles["closed_at_ms"] = stored["closed_at_ms"]
    candles["revision"] = stored["revision"] + 1
    return candles
