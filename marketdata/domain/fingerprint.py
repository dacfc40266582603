"""Hashes of candles: equal if and only if times, prices and volumes are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np

from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import Candles
from marketdata.domain.timeframe import DAY_MS

# Little-endian and packed on every machine.
_PACKED: Final = np.dtype(
    [
        ("open_time_ms", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
    ]
)


def fingerprint(candles: Candles | CandleColumns) -> bytes:
    """Return the SHA-256 of the candles' open times, prices and base volumes, in their order.

    What may differ between two ways of collecting the same market (counts, ids, source, closing
    time, revision, quote volume) is left out.
    """
    packed = np.empty(len(candles), dtype=_PACKED)
    for name in _PACKED.names or ():
        # Adding zero turns -0.0 into 0.0: they are equal and must hash alike.
        packed[name] = candles[name] + 0
    return hashlib.sha256(packed.data).digest()


def day_fingerprints(candles: Candles | CandleColumns) -> dict[int, bytes]:
    """Return the fingerprint of every UTC day that has candles, by days since 1970, in order."""
    days = candles["open_time_ms"] // DAY_MS
    edges = [*np.flatnonzero(np.diff(days, prepend=-1)).tolist(), len(candles)]
    return {int(days[start]): fingerprint(candles[start:end]) for start, end in pairwise(edges)}


def combine(days: Iterable[bytes]) -> bytes:
    """Return the fingerprint of a range from those of its days, in their order."""
    return hashlib.sha256(b"".join(days)).digest()
