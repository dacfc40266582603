"""The parameters that are searched: axes of values, and the combinations of them by number.

A grid is never made: the parameters of a trial follow from its number alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from strategies.domain.params import Choice, Flag, Parameter, Real, Value, Whole
from strategies.domain.spelling import did_you_mean

MOST_AXES: Final = 12
MOST_VALUES: Final = 1_000
_DIGITS: Final = 12
"""Decimals to which the values of a stepped axis are rounded: 0.1 + 2 x 0.1 is 0.3."""


class InvalidSpace(ValueError):
    """What is to be searched cannot be; `errors` says why, by axis."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))


class Axis(Protocol):
    """One parameter with the values it may take."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int | None:
        """How many values there are; None for any number in a range."""
        ...

    def at(self, index: int) -> Value:
        """Return the value number `index`."""
        ...

    def drawn(self, share: float) -> Value:
        """Return the value at `share` of the way, from 0 to below 1."""
        ...

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """Values one by one."""

    name: str
    values: tuple[Value, ...]

    @property
    def size(self) -> int:
        return len(self.values)

    def at(self, index: int) -> Value:
        return self.values[index]

    def drawn(self, share: float) -> Value:
        return self.values[int(share * self.size)]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class Stepped:
    """Numbers from `low` in steps, up to `high`."""

    name: str
    low: float
    high: float
    step: float
    is_whole: bool

    @property
    def size(self) -> int:
        # A step that does not quite reach the end because of its rounding does reach it.
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def at(self, index: int) -> Value:
        value = self.low + index * self.step
        return int(value) if self.is_whole else min(round(value, _DIGITS), self.high)

    def drawn(self, share: float) -> Value:
        return self.at(int(share * self.size))

    def as_json(self) -> dict[str, Any]:
        ends = {"min": self.low, "max": self.high, "step": self.step}
        return {"name": self.name, **ends, "is_whole": self.is_whole}


@dataclass(frozen=True, slots=True)
class Continuous:
    """Any number from `low` to `high`."""

    name: str
    low: float
    high: float

    @property
    def size(self) -> None:
        return None

    def at(self, index: int) -> Value:
        raise TypeError(f"{self.name} has no values to number: give it a step")

    def drawn(self, share: float) -> Value:
        return self.low + share * (self.high - self.low)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "min": self.low, "max": self.high}


@dataclass(frozen=True, slots=True)
class Space:
    """Axes, the last of which moves fastest, and the parameters that stay as they are."""

    axes: tuple[Axis, ...]
    fixed: Mapping[str, Value]

    @property
    def size(self) -> int | None:
        """How many combinations there are; None for endlessly many."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def at(self, number: int) -> dict[str, Value]:
        """Return the parameters of combination `number` of the grid."""
        chosen: dict[str, Value] = {}
        for axis in reversed(self.axes):
            number, index = divmod(number, axis.size or 1)
            chosen[axis.name] = axis.at(index)
        return {**self.fixed, **{axis.name: chosen[axis.name] for axis in self.axes}}

    def drawn(self, seed: int, number: int, attempt: int = 0) -> dict[str, Value]:
        """Return random parameters, which follow from the three numbers alone, on any machine."""
        return {
            **self.fixed,
            **{
                axis.name: axis.drawn(_share(seed, number, attempt, place))
                for place, axis in enumerate(self.axes)
            },
        }

    def as_json(self) -> list[dict[str, Any]]:
        """Return the axes for JSON."""
        return [axis.as_json() for axis in self.axes]

    @classmethod
    def from_json(cls, axes: Sequence[Mapping[str, Any]], fixed: Mapping[str, Value]) -> Space:
        """Return the space whose axes `as_json` wrote."""
        return cls(tuple(_stored(axis) for axis in axes), dict(fixed))


def space_of(
    parameters: Sequence[Parameter], given: Mapping[str, Any], fixed: Mapping[str, Value]
) -> Space:
    """Return the space that people describe: values, or min, max and step, by parameter.

    What is left out of an axis is taken from the parameter: its choices, or its limits and, for
    whole numbers, a step of 1. Raises InvalidSpace with a reason for every axis that is wrong.
    """
    known = {parameter.name: parameter for parameter in parameters}
    errors: dict[str, str] = {}
    axes: list[Axis] = []
    for name, told in given.items():
        try:
            axes.append(_axis(known, str(name), told, fixed))
        except ValueError as error:
            errors[str(name)] = str(error)
    if not given:
        errors[""] = "expected at least one parameter to search"
    elif len(given) > MOST_AXES:
        errors[""] = f"expected at most {MOST_AXES} parameters; were {len(given)}"
    if errors:
        raise InvalidSpace(errors)
    return Space(tuple(axes), dict(fixed))


def _axis(known: Mapping[str, Parameter], name: str, told: Any, fixed: Mapping[str, Value]) -> Axis:
    if name not in known:
        raise ValueError(f"there is no such parameter; {did_you_mean(name, list(known))}")
    if name in fixed:
        raise ValueError("it cannot be searched and stay as it is")
    if not isinstance(told, Mapping):
        raise ValueError("expected an object with values, or with min, max and step")
    parameter = known[name]
    allowed = ("values",) if isinstance(parameter, Choice | Flag) else _RANGE
    if unknown := [str(key) for key in told if key not in allowed]:
        raise ValueError(f"there is no {unknown[0]!r} here; expected {', '.join(allowed)}")
    if "values" in told or isinstance(parameter, Choice | Flag):
        return _listed(parameter, told)
    return _ranged(parameter, told)


_RANGE: Final = ("values", "min", "max", "step")


def _listed(parameter: Parameter, told: Mapping[str, Any]) -> Listed:
    if len(told) > 1:
        raise ValueError("expected values, or min, max and step; not both")
    everything = parameter.choices if isinstance(parameter, Choice) else (False, True)
    values = told.get("values", everything)
    if not isinstance(values, list | tuple) or not 0 < len(values) <= MOST_VALUES:
        raise ValueError(f"expected a list of 1 to {MOST_VALUES} values")
    checked = tuple(parameter.checked(value) for value in values)
    if len(set(checked)) < len(checked):
        raise ValueError("a value is there twice")
    return Listed(parameter.name, checked)


def _ranged(parameter: Whole | Real, told: Mapping[str, Any]) -> Axis:
    low = parameter.checked(told.get("min", parameter.min))
    high = parameter.checked(told.get("max", parameter.max))
    if high < low:
        raise ValueError(f"expected max to be min or more; were {high:g} and {low:g}")
    step = told.get("step", 1 if isinstance(parameter, Whole) else None)
    if step is None:
        return Continuous(parameter.name, low, high)
    is_number = isinstance(step, int | float) and not isinstance(step, bool)
    if not is_number or not math.isfinite(step) or not 0 < step <= 2**53:
        raise ValueError(f"expected a step above 0; was {step!r}")
    if isinstance(parameter, Whole) and step != int(step):
        raise ValueError(f"expected a whole step; was {step!r}")
    return Stepped(parameter.name, low, high, step, isinstance(parameter, Whole))


def _stored(axis: Mapping[str, Any]) -> Axis:
    if "values" in axis:
        return Listed(axis["name"], tuple(axis["values"]))
    if "step" in axis:
        ends = axis["min"], axis["max"], axis["step"]
        return Stepped(axis["name"], *ends, axis["is_whole"])
    return Continuous(axis["name"], axis["min"], axis["max"])


def _share(*key: int) -> float:
    """Return a number from 0 to below 1 that nothing but `key` decides."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 2**53
