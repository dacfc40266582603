"""Whether a replay made the same candles as were stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marketdata.domain.fingerprint import fingerprint
from marketdata.domain.timeframe import Timeframe
from marketdata.models import Instrument
from marketdata.storage import read_candles

_COMPARED = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One instrument's candles of one timeframe: how many on both sides, and how many differ.

    Missing ones count as different. Fingerprints are over open time and figures.
    """

    symbol: str
    timeframe: Timeframe
    candles: int
    replayed: int
    different: int
    fingerprint: bytes
    replayed_fingerprint: bytes

    @property
    def is_equal(self) -> bool:
        """Whether both sides say the same, to the last digit."""
        return self.fingerprint == self.replayed_fingerprint


def compare(
    instrument: Instrument, place: Instrument, start_ms: int, end_ms: int
) -> list[Comparison]:
    """Return a comparison for each timeframe that has a whole window in [start_ms, end_ms)."""
    found = []
    for timeframe in Timeframe:
        first_ms = -(-start_ms // timeframe.ms) * timeframe.ms
        last_ms = end_ms // timeframe.ms * timeframe.ms
        if first_ms < last_ms:
            found.append(_compare(instrument, place, timeframe, first_ms, last_ms))
    return found


def _compare(
    instrument: Instrument, place: Instrument, timeframe: Timeframe, first_ms: int, last_ms: int
) -> Comparison:
    stored = read_candles(instrument, timeframe, first_ms, last_ms)
    again = read_candles(place, timeframe, first_ms, last_ms)
    _, here, there = np.intersect1d(
        stored["open_time_ms"], again["open_time_ms"], return_indices=True
    )
    same = np.ones(len(here), dtype=bool)
    for name in _COMPARED:
        same &= stored[name][here] == again[name][there]
    different = len(stored) + len(again) - len(here) - int(same.sum())
    return Comparison(
        instrument.symbol,
        timeframe,
        len(stored),
        len(again),
        different,
        fingerprint(stored),
        fingerprint(again),
    )
