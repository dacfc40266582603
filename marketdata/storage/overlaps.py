"""Which rows of the tape stay when several cover the same matches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import Trades


@dataclass(frozen=True, slots=True)
class Settled:
    """The stored rows that must go and the incoming ones that must be added."""

    gone: Trades
    added: Trades


def first_ids(trades: Trades) -> NDArray[np.int64]:
    """Return the id of the first match of every row."""
    ids: NDArray[np.int64] = trades["trade_id"] - trades["count"] + 1
    return ids


def settle(stored: Trades, incoming: Trades) -> Settled:
    """Return what makes `stored` hold the matches of both, each of them once.

    Single matches replace an aggregated row when they cover all of it; otherwise the aggregated
    row stays and the singles within it go, because its size cannot be divided. Of two aggregated
    rows that overlap the one of more matches stays. No match that was covered is lost.
    """
    rows = np.concatenate([stored, incoming])
    # Stable, so that of equal rows the stored one comes first and is the one that stays.
    _, kept = np.unique(rows[["trade_id", "count"]], return_index=True)
    candidates = np.sort(kept)
    staying = candidates[_staying(rows[candidates])]
    was_stored = np.arange(len(rows)) < len(stored)
    stays = np.zeros(len(rows), dtype=bool)
    stays[staying] = True
    added = rows[stays & ~was_stored]
    return Settled(gone=rows[was_stored & ~stays], added=added[np.argsort(added["trade_id"])])


def _staying(rows: Trades) -> NDArray[np.bool_]:
    single = rows["count"] == 1
    stays: NDArray[np.bool_] = single.copy()
    ids = np.sort(rows["trade_id"][single])
    taken: list[tuple[int, int]] = []
    merged = np.flatnonzero(~single)
    for row in merged[np.argsort(-rows["count"][merged], kind="stable")]:
        last = int(rows["trade_id"][row])
        first = last - int(rows["count"][row]) + 1
        known = np.searchsorted(ids, last, side="right") - np.searchsorted(ids, first)
        if known == rows["count"][row] or any(a <= last and first <= b for a, b in taken):
            continue
        taken.append((first, last))
        stays[row] = True
        stays &= ~single | (rows["trade_id"] < first) | (rows["trade_id"] > last)
    return stays
