"""The typed parameters of a strategy: whole and real numbers, choices and flags."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from strategies.domain.errors import InvalidParameters
from strategies.domain.spelling import did_you_mean

Value = int | float | str | bool
Values = Mapping[str, Any]
"""Checked parameters by name."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `min` to `max`, both included."""

    name: str
    title: str
    default: int
    min: int
    max: int
    help: str

    kind: ClassVar[str] = "whole"

    def checked(self, value: object) -> int:
        """Return the number; raises ValueError saying what was expected."""
        number = _number(value)
        if number != math.floor(number):
            raise ValueError(f"expected a whole number; was {value!r}")
        _within(number, self.min, self.max)
        return int(number)

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value."""
        return {"type": "integer", "minimum": self.min, "maximum": self.max}


@dataclass(frozen=True, slots=True)
class Real:
    """A number from `min` to `max`, both included."""

    name: str
    title: str
    default: float
    min: float
    max: float
    help: str

    kind: ClassVar[str] = "real"

    def checked(self, value: object) -> float:
        """Return the number as a float; raises ValueError saying what was expected."""
        number = float(_number(value))
        _within(number, self.min, self.max)
        return number

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value."""
        return {"type": "number", "minimum": self.min, "maximum": self.max}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    name: str
    title: str
    default: str
    choices: tuple[str, ...]
    help: str

    kind: ClassVar[str] = "choice"

    def checked(self, value: object) -> str:
        """Return the word; raises ValueError naming the nearest."""
        if isinstance(value, str) and value in self.choices:
            return value
        raise ValueError(f"there is no choice {value!r}; {did_you_mean(str(value), self.choices)}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value."""
        return {"type": "string", "enum": list(self.choices)}


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    name: str
    title: str
    default: bool
    help: str

    kind: ClassVar[str] = "flag"

    def checked(self, value: object) -> bool:
        """Return the flag; raises ValueError for anything but true and false."""
        if isinstance(value, bool):
            return value
        raise ValueError(f"expected true or false; was {value!r}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value."""
        return {"type": "boolean"}


Parameter = Whole | Real | Choice | Flag
_LARGEST = 2**53
_KINDS: Mapping[str, type[Parameter]] = {kind.kind: kind for kind in (Whole, Real, Choice, Flag)}


def resolve(parameters: Sequence[Parameter], given: Values) -> dict[str, Value]:
    """Return all parameters in their order, defaults filled in.

    Raises InvalidParameters with a reason for every wrong name and value, not only the first.
    """
    names = [parameter.name for parameter in parameters]
    errors = {
        str(name): f"there is no such parameter; {did_you_mean(str(name), names)}"
        for name in given
        if name not in names
    }
    values: dict[str, Value] = {}
    for parameter in parameters:
        try:
            values[parameter.name] = parameter.checked(given.get(parameter.name, parameter.default))
        except ValueError as error:
            errors[parameter.name] = str(error)
    if errors:
        raise InvalidParameters(errors)
    return values


def parse(parameters: Sequence[Parameter], texts: Mapping[str, str]) -> dict[str, Value]:
    """Return what texts of a command line or a form mean, for `resolve` to check.

    A text that is no number, where one is expected, stays what it is, and is refused there.
    """
    kinds = {parameter.name: parameter for parameter in parameters}
    return {name: _meant(kinds.get(name), text.strip()) for name, text in texts.items()}


def as_json(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter for JSON, with its kind."""
    return {"kind": parameter.kind, **asdict(parameter)}


def from_json(stored: Mapping[str, Any]) -> Parameter:
    """Return the parameter that `as_json` wrote."""
    fields = {name: value for name, value in stored.items() if name != "kind"}
    if "choices" in fields:
        fields["choices"] = tuple(fields["choices"])
    return _KINDS[stored["kind"]](**fields)


def params_schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the JSON schema of an object that holds some of the parameters."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            parameter.name: {
                "title": parameter.title,
                "description": parameter.help,
                "default": parameter.default,
                **parameter.schema(),
            }
            for parameter in parameters
        },
    }


def not_below(params: Values, lower: str, upper: str) -> dict[str, str]:
    """Return a reason for `lower` unless its value is below that of `upper`."""
    if params[lower] < params[upper]:
        return {}
    return {lower: f"expected a value below {upper}; were {params[lower]:g} and {params[upper]:g}"}


def _meant(parameter: Parameter | None, text: str) -> Value:
    if isinstance(parameter, Flag):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(parameter, Whole | Real):
        for read in (int, float):
            try:
                return read(text)
            except ValueError:
                continue
    return text


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number; was {value!r}")
    if isinstance(value, int):
        # Larger ones are no float64 any more.
        return min(max(value, -_LARGEST), _LARGEST)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number; was {value!r}")
    return value


def _within(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"expected a number from {low:g} to {high:g}; was {value:g}")
