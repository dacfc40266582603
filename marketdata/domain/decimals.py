"""Exact sums of decimals: whole units of a power of ten, added as integers, rounded once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidRecord

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Integers = NDArray[Any]
"""int64 where every value fits, otherwise an object array of Python's own integers."""

# Every integer up to here is a float64 of its own, and so is every power of ten up to 10**22:
# the quotient of the two is then the float64 nearest to the decimal.
_EXACT: Final = 2**53
_MAX_POWER: Final = 22
_MAX_DECIMALS: Final = 18
# A float64 estimate below this proves that the integer fits into an int64.
_SAFE: Final = 2.0**62


@dataclass(frozen=True, slots=True)
class Units:
    """Decimals as whole units of 10**-decimals."""

    values: Integers
    decimals: int


def decimals_of(step: Decimal) -> int:
    """Return the digits after the point of a tick, lot or contract value: 2 for 0.01, 0 for 10."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def to_units(values: Floats, decimals: int) -> Units:
    """Return `values` as whole units of 10**-decimals, or of a finer power when one does not fit.

    The value of a float is the shortest decimal that reads back as it, so 0.1 is one tenth.
    Raises InvalidRecord for NaN and infinity.
    """
    found, needed = _fit(values, decimals)
    if found is None and needed is not None:
        found, _ = _fit(values, needed)
        decimals = needed
    return _python_units(values) if found is None else Units(found, decimals)


def group_sums(units: Integers, starts: Indices) -> Integers:
    """Return the exact sums of the groups that begin at `starts`."""
    if units.dtype != object and _overflows(np.abs(units.astype(np.float64)), starts):
        units = units.astype(object)
    return np.asarray(np.add.reduceat(units, starts))


def group_dot(left: Integers, right: Integers, starts: Indices) -> Integers:
    """Return the exact sums of left x right over the groups that begin at `starts`."""
    if left.dtype != object and right.dtype != object:
        estimate = np.abs(left.astype(np.float64) * right.astype(np.float64))
        if not _overflows(estimate, starts):
            return np.asarray(np.add.reduceat(left * right, starts))
    return np.asarray(np.add.reduceat(left.astype(object) * right.astype(object), starts))


def times(units: Integers, factor: int) -> Integers:
    """Return units x factor, exactly."""
    if factor == 1:
        return units
    if units.dtype != object and len(units):
        largest = float(np.abs(units.astype(np.float64)).max())
        if largest * abs(factor) >= _SAFE:
            units = units.astype(object)
    return np.asarray(units * factor)


def to_floats(units: Units) -> Floats:
    """Return the float64 nearest to each value."""
    values, decimals = units.values, units.decimals
    if values.dtype == object or decimals > _MAX_POWER:
        return np.array([to_float(int(value), decimals) for value in values], dtype=np.float64)
    result = np.asarray(values / 10.0**decimals)
    for row in np.flatnonzero(np.abs(values) > _EXACT):
        result[row] = to_float(int(values[row]), decimals)
    return result


def to_float(units: int, decimals: int) -> float:
    """Return the float64 nearest to units x 10**-decimals."""
    # Python divides integers with a single rounding, whatever their size.
    return float(units / 10**decimals)


def rescaled(units: int, decimals: int, target: int) -> int:
    """Return `units` of 10**-decimals in units of the finer or equal 10**-target."""
    return int(units * 10 ** (target - decimals))


def _fit(values: Floats, decimals: int) -> tuple[Integers | None, int | None]:
    """Return the units, or None and the number of decimals that would do, or None and None."""
    if not len(values):
        return np.empty(0, dtype=np.int64), decimals
    power = 10.0**decimals
    scaled = np.rint(values * power)
    if not np.abs(scaled).max() < _EXACT:
        return None, None
    misfits = values[scaled / power != values]
    if not len(misfits):
        return scaled.astype(np.int64), decimals
    return None, _decimals_for(misfits, decimals + 1)


def _decimals_for(values: Floats, at_least: int) -> int | None:
    for decimals in range(at_least, _MAX_DECIMALS + 1):
        power = 10.0**decimals
        scaled = np.rint(values * power)
        if not np.abs(scaled).max() < _EXACT:
            return None
        if bool((scaled / power == values).all()):
            return decimals
    return None


def _python_units(values: Floats) -> Units:
    if not bool(np.isfinite(values).all()):
        raise InvalidRecord("expected finite prices and sizes; found NaN or infinity")
    exact = [Decimal(repr(value)) for value in values.tolist()]
    decimals = max(decimals_of(value) for value in exact)
    units = [int(value.scaleb(decimals)) for value in exact]
    return Units(np.array(units, dtype=object), decimals)


def _overflows(estimates: Floats, starts: Indices) -> bool:
    return not float(np.add.reduceat(estimates, starts).max()) < _SAFE
