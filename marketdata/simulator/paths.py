"""Where an asset's price and activity stand at every minute, in closed form.

Time is cut into blocks of 1024 minutes. Price at the edges of blocks is noise of many octaves,
bounded. Inside, a block is halved ten times: each half takes a random part of the block's
matches and the same part of its variance, and the price at the cut is a Brownian bridge's. So
busy minutes are volatile minutes and bursts have bursts inside. Only +, -, *, / and square root
are used on floats: IEEE 754 fixes their results, so every machine makes the same market.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.simulator.hashing import Integers, bits, key_of, part

BLOCK: Final = 1024
LEVELS: Final = 10
_OCTAVES: Final = 11
_LONGEST_SWING: Final = 0.16
"""The largest amplitude of one octave; together they keep a price within a factor of about 5."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AssetBlock:
    """One block of an asset.

    `splits` holds for each level the left half's part in 1/65536; `levels` is the log-like
    price at the 1025 minute edges; `variances` the variance of each of the 1024 minutes.
    """

    splits: tuple[Integers, ...]
    levels: Floats
    variances: Floats


@lru_cache(maxsize=2048)
def asset_block(seed: int, asset: str, daily_volatility: float, block: int) -> AssetBlock:
    """Return block number `block` (counted from the epoch) of an asset such as BTC."""
    key = key_of(seed, asset, "path")
    variance = np.array([daily_volatility * daily_volatility * BLOCK / 1440.0])
    levels = _edges(key, float(variance[0]), block)
    splits = []
    for level in range(LEVELS):
        nodes = np.arange(block << level, (block + 1) << level, dtype=np.int64)
        random_bits = bits(key + level, nodes)
        split = 16_384 + part(random_bits, 0, 15)
        splits.append(split)
        left = split / 65_536.0
        middle = _bridge(levels, left, variance, _normal(random_bits))
        levels = _interleave(levels, middle)
        variance = np.column_stack((variance * left, variance * (1.0 - left))).ravel()
    return AssetBlock(tuple(splits), levels, variance)


def price_of(levels: Floats, start_price: float) -> Floats:
    """Return prices for log-like levels: an exponential's rational likeness, exact everywhere."""
    bounded = np.clip(levels, -1.6, 1.6)
    return start_price * (2.0 + bounded) / (2.0 - bounded)


def _bridge(levels: Floats, left: Floats, variance: Floats, normal: Floats) -> Floats:
    mean = levels[:-1] + left * (levels[1:] - levels[:-1])
    return mean + np.sqrt(variance * left * (1.0 - left)) * normal


def _interleave(edges: Floats, middles: Floats) -> Floats:
    woven = np.empty(len(edges) + len(middles))
    woven[0::2] = edges
    woven[1::2] = middles
    return woven


def _edges(key: int, variance: float, block: int) -> Floats:
    """Return the levels at a block's two ends."""
    edges = np.array([block, block + 1], np.int64)
    levels: Floats = np.zeros(2)
    for octave in range(_OCTAVES):
        period = 1 << octave
        lattice = edges // period
        left = _normal(bits(key + 100 + octave, lattice))
        right = _normal(bits(key + 100 + octave, lattice + 1))
        fraction: Floats = (edges % period) / float(period)
        amplitude = min(_LONGEST_SWING, 0.6 * math.sqrt(variance * period))
        levels += 0.8 * amplitude * (left + fraction * (right - left))
    return levels


def _normal(random_bits: NDArray[np.uint64]) -> Floats:
    """Return near-normal numbers of variance 1, between -2.45 and 2.45: two uniforms summed."""
    summed = part(random_bits, 16, 24) + part(random_bits, 40, 24) - (1 << 24)
    return summed.astype(np.float64) * (2.449489742783178 / (1 << 24))
