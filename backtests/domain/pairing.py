"""Two runs' round trips beside each other: which both made, and which only one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backtests.domain.roundtrips import RoundTrips


@dataclass(frozen=True, slots=True)
class Pair:
    """The places of a round trip among those of two runs; None where one did not make it."""

    left: int | None
    right: int | None


def pair_trips(left: RoundTrips, right: RoundTrips) -> list[Pair]:
    """Return all round trips of both runs in the order of their entries.

    Trips are the same one when they began at the same time on the same side.
    """
    return list(_merged(_keys(left), _keys(right)))


def _keys(trips: RoundTrips) -> list[tuple[int, int]]:
    return list(zip(trips["entry_ms"].tolist(), trips["side"].tolist(), strict=True))


def _merged(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> Iterator[Pair]:
    i = j = 0
    while i < len(left) or j < len(right):
        if j == len(right) or (i < len(left) and left[i] < right[j]):
            yield Pair(i, None)
            i += 1
        elif i == len(left) or right[j] < left[i]:
            yield Pair(None, j)
            j += 1
        else:
            yield Pair(i, j)
            i, j = i + 1, j + 1
