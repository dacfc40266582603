"""Randomness as a function: the same key and numbers give the same bits on every machine."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
Integers = NDArray[np.int64]

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@lru_cache(maxsize=8192)
def key_of(*parts: object) -> int:
    """Return a 64-bit key for a sequence of words and numbers."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def bits(key: int, numbers: Integers) -> Bits:
    """Return 64 random bits for each number (splitmix64's output function)."""
    mixed = (numbers.astype(np.uint64) + np.uint64(key & 0xFFFFFFFFFFFFFFFF)) * _STEP
    mixed ^= mixed >> _S30
    mixed *= _MIX_1
    mixed ^= mixed >> _S27
    mixed *= _MIX_2
    mixed ^= mixed >> _S31
    return mixed


def part(random_bits: Bits, shift: int, width: int) -> Integers:
    """Return `width` of the bits, from bit `shift`, as integers from 0 to 2**width - 1."""
    mask = np.uint64((1 << width) - 1)
    return ((random_bits >> np.uint64(shift)) & mask).astype(np.int64)
