"""What an indicator is: inputs, typed parameters, outputs, a warm-up and a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidIndicator

Floats = NDArray[np.float64]
Parameters = Mapping[str, float]

PRICE_PANE: Final = "price"
"""The pane of indicators that are drawn over the candles."""

HOUR_MS: Final = 3_600_000

# How much of the influence of a recursive average's start may be left when it has settled.
_FORGOTTEN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a user may set, from `min` to `max`; whole if its default is an int."""

    name: str
    title: str
    default: int | float
    min: int | float
    max: int | float
    help: str

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are allowed."""
        return isinstance(self.default, int)

    def checked(self, value: float) -> float:
        """Return `value`, an int if it must be whole; raises InvalidIndicator for a wrong one."""
        if not self.min <= value <= self.max:
            raise InvalidIndicator(
                f"expected {self.name} from {self.min:g} to {self.max:g}; was {value:g}"
            )
        if not self.is_whole:
            return float(value)
        if value != int(value):
            raise InvalidIndicator(f"expected a whole number for {self.name}; was {value:g}")
        return int(value)


def _nothing_to_refuse(_params: Parameters) -> None:
    """Accept any parameters that are in their ranges."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One entry of the registry; `docs/indicators.md` has its formula and source.

    `kernel` names module and function in `kernels`. It reads the columns `inputs` of candles and
    writes `outputs`; `state_size` numbers carry it from one candle to the next. `lacks` says how
    many candles at the start have no value, `reaches` how many candles of so many milliseconds a
    value looks back on. `refuses` raises InvalidIndicator for parameters that do not go together.
    """

    key: str
    title: str
    short: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pane: str
    kernel: str
    state_size: Callable[[Parameters], int]
    lacks: Callable[[Parameters], int]
    reaches: Callable[[Parameters, int], int]
    refuses: Callable[[Parameters], None] = _nothing_to_refuse

    def resolve(self, given: Parameters) -> dict[str, float]:
        """Return all parameters in their order, defaults filled in, whole ones as int.

        Raises InvalidIndicator for an unknown name, a value that is out of bounds, or values that
        do not go together.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                known = ", ".join(names) or "none at all"
                raise InvalidIndicator(f"{self.key} has no parameter {name!r}; expected {known}")
        resolved = {
            parameter.name: parameter.checked(given.get(parameter.name, parameter.default))
            for parameter in self.parameters
        }
        self.refuses(resolved)
        return resolved

    def positional(self, values: Sequence[float]) -> dict[str, float]:
        """Return all parameters from values in their order, defaults for the rest."""
        if len(values) > len(self.parameters):
            raise InvalidIndicator(
                f"{self.key} takes {len(self.parameters)} values; {len(values)} were given"
            )
        names = [parameter.name for parameter in self.parameters]
        return self.resolve(dict(zip(names, values, strict=False)))

    def warmup(self, params: Parameters) -> int:
        """Return the index of the first value: every output is NaN before it, and none after."""
        return self.lacks(self.resolve(params))

    def settling(self, params: Parameters, step_ms: int) -> int:
        """Return how many candles of `step_ms` before a value make it what it is with all.

        With them it differs from the value over the whole history by at most 1e-8 of its size. The
        level of on-balance volume has no such number: it counts from wherever it began.
        """
        return self.reaches(self.resolve(params), step_ms)


def forgetting(weight: float) -> int:
    """Return the steps after which an average of that weight has forgotten its start to 1e-9."""
    return 0 if weight >= 1 else math.ceil(math.log(_FORGOTTEN) / math.log(1 - weight))


def ema_forgetting(period: float) -> int:
    """Return the candles after which an EMA of `period` does not know where it began."""
    return int(period) + forgetting(2 / (period + 1))


def wilder_forgetting(period: float) -> int:
    """Return the same for Wilder's average, whose newest value weighs 1 / period."""
    return int(period) + forgetting(1 / period)
