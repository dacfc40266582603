"""How whole a stretch of candles is, and what its parts were made of."""

from __future__ import annotations

from dataclasses import dataclass

from marketdata.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class GapNote:
    """A gap that touches the stretch: trades or candles between two times, and its state."""

    kind: str
    state: str
    cause: str
    reason: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class LockNote:
    """A stretch [start_ms, end_ms) that a person has locked."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Integrity:
    """What is stored of the candles that open in [start_ms, end_ms).

    `expected` candles lie on the grid, `uncollected` ones of them before anything was collected;
    `complete` ones have all their minutes, and the four sources
    add up to them. `verified` equal the exchange's own and `differing` do not, in any of their
    minutes; only those built here, from trades or flat, are held against it. `revised` were
    changed, or inserted among others, after they were closed. `tail` are the newest minutes of the
    stretch, where nothing of them was stored although they are collected. A share is None where
    nothing could be counted; `fingerprint` is empty where it was not asked for.
    """

    timeframe: Timeframe
    start_ms: int
    end_ms: int
    expected: int
    uncollected: int
    stored: int
    complete: int
    by_trades: int
    by_exchange: int
    by_import: int
    flat: int
    revised: int
    verified: int
    differing: int
    fingerprint: bytes
    gaps: tuple[GapNote, ...] = ()
    locks: tuple[LockNote, ...] = ()
    tail: GapNote | None = None

    @property
    def missing(self) -> int:
        """Candles that are not there at all."""
        return self.expected - self.stored

    @property
    def lacking(self) -> int:
        """Candles that are not there although they were to be collected."""
        return self.missing - self.uncollected

    @property
    def incomplete(self) -> int:
        """Candles that are there with minutes missing."""
        return self.stored - self.complete

    @property
    def complete_share(self) -> float | None:
        """Complete candles to expected ones."""
        return _share(self.complete, self.expected)

    @property
    def flat_share(self) -> float | None:
        """Complete candles without a trade to expected ones."""
        return _share(self.flat, self.expected)

    @property
    def revised_share(self) -> float | None:
        """Revised candles to expected ones."""
        return _share(self.revised, self.expected)

    @property
    def verified_share(self) -> float | None:
        """Verified candles to those that were built here."""
        return _share(self.verified, self.by_trades + self.flat)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
