"""What an indicator is: a formula over closes, with parameters, outputs and a warm-up."""

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

# How much of the influence of a recursive average's start may be left after its warm-up.
_FORGOTTEN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a user may set, from `min` to `max`; whole if its default is an int."""

    name: str
    title: str
    default: int | float
    min: int | float
    max: int | float

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are allowed."""
        return isinstance(self.default, int)

    def checked(self, value: float) -> float:
        """Return `value`, or raise InvalidIndicator when it is outside or not whole."""
        if not self.min <= value <= self.max:
            raise InvalidIndicator(
                f"expected {self.name} from {self.min:g} to {self.max:g}; was {value:g}"
            )
        if self.is_whole and value != int(value):
            raise InvalidIndicator(f"expected a whole number for {self.name}; was {value:g}")
        return value


@dataclass(frozen=True, slots=True)
class Indicator:
    """One entry of the registry.

    `formula` takes float64 closes and the parameters by name and returns one array for each of
    `outputs`, in this order, as long as the closes and NaN until there is a value. `settled` says
    how many earlier closes make a value what it would be with all of them.
    """

    key: str
    title: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[str, ...]
    pane: str
    formula: Callable[[Floats, Parameters], tuple[Floats, ...]]
    settled: Callable[[Parameters], int]

    def resolve(self, given: Parameters) -> dict[str, float]:
        """Return all parameters, defaults filled in.

        Raises InvalidIndicator for an unknown name or a value that is out of bounds.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise InvalidIndicator(
                    f"{self.key} has no parameter {name!r}; expected {', '.join(names)}"
                )
        return {
            parameter.name: parameter.checked(given.get(parameter.name, parameter.default))
            for parameter in self.parameters
        }

    def positional(self, values: Sequence[float]) -> dict[str, float]:
        """Return all parameters from values in their order, defaults for the rest."""
        if len(values) > len(self.parameters):
            raise InvalidIndicator(
                f"{self.key} takes {len(self.parameters)} values; {len(values)} were given"
            )
        names = [parameter.name for parameter in self.parameters]
        return self.resolve(dict(zip(names, values, strict=False)))

    def warmup(self, params: Parameters) -> int:
        """Return how many closes before the first one shown have to be handed in.

        With them every value equals, to 1e-8 of its size, what it is with the whole history.
        """
        return self.settled(self.resolve(params))

    def compute(self, closes: Floats, params: Parameters) -> dict[str, Floats]:
        """Return one array for each output, as long as `closes` and aligned with it.

        NaN means that there are not enough closes yet. `closes` is not changed.
        """
        outputs = self.formula(np.asarray(closes, dtype=np.float64), self.resolve(params))
        return dict(zip(self.outputs, outputs, strict=True))


def forgetting(alpha: float) -> int:
    """Return the steps after which an average of weight `alpha` has forgotten its start to 1e-9."""
    return 0 if alpha >= 1 else math.ceil(math.log(_FORGOTTEN) / math.log(1 - alpha))


def undefined(like: Floats) -> Floats:
    """Return an array of NaN as long as `like`."""
    return np.full(len(like), np.nan)
