"""Computing an indicator: over all candles at once, or from where it stood a candle ago.

Both are one function, `advance`: `compute` advances from nothing. So what a chart shows, what a
backtest sees over years and what a bot sees a minute at a time have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.errors import InvalidCandles, InvalidIndicator
from marketdata.domain.indicators.base import Floats, Indicator, Parameters
from marketdata.domain.indicators.registry import INDICATORS
from marketdata.domain.indicators.segments import LONGEST_GAP, segments
from marketdata.domain.records import Candles

Columns = Mapping[str, NDArray[Any]]
_T = TypeVar("_T", bound=np.generic)

_KERNELS = "marketdata.domain.indicators.kernels"


@dataclass(frozen=True, slots=True, eq=False)
class IndicatorState:
    """Where an indicator stands after the candle that opened at `last_open_ms` (None: before any).

    `values` are as many finite numbers as the indicator declares; they are never changed.
    """

    last_open_ms: int | None
    values: Floats

    def as_json(self) -> dict[str, Any]:
        """Return the state for JSON, which gives back every number to the last bit."""
        return {"last_open_ms": self.last_open_ms, "values": self.values.tolist()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> IndicatorState:
        """Return the state that `as_json` wrote."""
        return cls(stored["last_open_ms"], np.array(stored["values"], dtype=np.float64))


def begin(indicator: Indicator, params: Parameters) -> IndicatorState:
    """Return the state of an indicator that has seen nothing."""
    return IndicatorState(None, np.zeros(indicator.state_size(indicator.resolve(params))))


def compute(
    indicator: Indicator,
    candles: Candles | Columns,
    params: Parameters,
    *,
    step_ms: int,
    longest_gap: int = LONGEST_GAP,
) -> dict[str, Floats]:
    """Return one array for each output, as long as `candles` and aligned with them.

    `candles` are closed ones of one instrument and of length `step_ms`, as an array of CANDLE_DTYPE
    or as columns of its names. NaN means that there are not enough candles yet, since the beginning
    or since a gap of more than `longest_gap` candles. Raises InvalidIndicator for wrong parameters
    and InvalidCandles for candles out of order or not finite.
    """
    begun = begin(indicator, params)
    return advance(indicator, candles, params, begun, step_ms=step_ms, longest_gap=longest_gap)[0]


def advance(
    indicator: Indicator,
    candles: Candles | Columns,
    params: Parameters,
    state: IndicatorState,
    *,
    step_ms: int,
    longest_gap: int = LONGEST_GAP,
) -> tuple[dict[str, Floats], IndicatorState]:
    """Return the outputs over `candles`, which follow those `state` has seen, and the new state.

    Any number of candles may come at once: the outputs have the same bits however they are split.
    """
    resolved = indicator.resolve(params)
    if len(state.values) != indicator.state_size(resolved):
        raise InvalidIndicator(
            f"expected a state of {indicator.state_size(resolved)} numbers for {indicator.key} "
            f"with these parameters; it has {len(state.values)}"
        )
    times = _own(np.ascontiguousarray(candles["open_time_ms"], dtype=np.int64))
    inputs = [_column(candles, name) for name in indicator.inputs]
    outputs = [np.empty(len(times)) for _ in indicator.outputs]
    kernel, numbers, values = _kernel(indicator.kernel), resolved.values(), state.values.copy()
    for start, end, is_new in segments(
        times, step_ms, after_ms=state.last_open_ms, longest_gap=longest_gap
    ):
        if is_new:
            values[:] = 0
        read, written = ([column[start:end] for column in all_] for all_ in (inputs, outputs))
        kernel(*read, *numbers, values, *written)
    last_ms = int(times[-1]) if len(times) else state.last_open_ms
    return dict(zip(indicator.outputs, outputs, strict=True)), IndicatorState(last_ms, values)


def warm(indicators: Iterable[Indicator] = tuple(INDICATORS.values())) -> None:
    """Load or compile the kernels, so that the first candle does not wait for them.

    For processes that compute: a worker calls it when it starts. It takes a moment when the machine
    code is on disk, and half a minute of one core when it is not.
    """
    for indicator in indicators:
        columns = {name: np.ones(1) for name in indicator.inputs}
        compute(indicator, {**columns, "open_time_ms": np.zeros(1, np.int64)}, {}, step_ms=1)


@cache
def _kernel(name: str) -> Callable[..., None]:
    # Imported at the first use: importing Numba takes longer than starting a web process.
    module, _, function = name.partition(".")
    kernel: Callable[..., None] = getattr(import_module(f"{_KERNELS}.{module}"), function)
    return kernel


def _column(candles: Candles | Columns, name: str) -> Floats:
    column: Floats = np.ascontiguousarray(candles[name], dtype=np.float64)
    if not np.isfinite(column).all():
        raise InvalidCandles(f"expected finite numbers as {name}; one is not")
    return _own(column)


def _own(column: NDArray[_T]) -> NDArray[_T]:
    # Kernels are compiled for writable arrays; a second time for mapped files would be wasted.
    return column if type(column) is np.ndarray and column.flags.writeable else np.array(column)
