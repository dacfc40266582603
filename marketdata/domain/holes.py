"""The holes of a stream that are open, each with the bounds it was opened with."""

from __future__ import annotations

from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.outbox import Outbox
from marketdata.domain.sequence import Missing


class OpenHoles:
    """Kept in order of their last ids."""

    def __init__(self) -> None:
        self.holes: list[Hole] = []

    def covers(self, missing: Missing) -> bool:
        """Return whether an open hole speaks of `missing` already."""
        return any(overlap(hole, missing) for hole in self.holes)

    def follow(self, missing: list[Missing], start_ms: int, cause: HoleCause, out: Outbox) -> None:
        """Close the holes of which nothing is missing any more and open those that are new.

        `start_ms` is from where trades are wanted, when nothing before them is known.
        """
        for hole in tuple(self.holes):
            if not any(overlap(hole, one) for one in missing):
                self.holes.remove(hole)
                out.repaired.append(hole)
        for one in missing:
            if not self.covers(one):
                hole = hole_of(one, start_ms, cause)
                self.holes.append(hole)
                self.holes.sort(key=lambda each: each.last_id)
                out.opened.append(hole)


def hole_of(missing: Missing, start_ms: int, cause: HoleCause) -> Hole:
    """Return what is missing as a hole."""
    after_ms = start_ms if missing.after_ms is None else missing.after_ms
    return Hole(missing.first_id, missing.last_id, after_ms, missing.before_ms, cause)


def overlap(hole: Hole, missing: Missing) -> bool:
    """Return whether `hole` has ids that are missing."""
    hole_first, first = hole.first_id or 0, missing.first_id or 0
    return hole_first <= missing.last_id and first <= hole.last_id
