"""Computing an indicator: over all candles at once, or from where it stood a candle ago.

Both are the same walk; `compute` begins it with nothing. So what a chart shows, what a backtest
sees over years and what a bot sees a minute at a time have the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.columns import CandleColumns
from marketdata.domain.errors import InvalidCandles, InvalidIndicator
from marketdata.domain.indicators.base import Floats, Indicator, Parameters
from marketdata.domain.indicators.registry import INDICATORS
from marketdata.domain.indicators.segments import LONGEST_GAP, Segment, segments
from marketdata.domain.records import Candles

Columns = Mapping[str, NDArray[Any]]
_T = TypeVar("_T", bound=np.generic)

_KERNELS: Final = "marketdata.domain.indicators.kernels"
_OPEN_TIME: Final = "open_time_ms"


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
    candles: Candles | CandleColumns | Columns,
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
    wanted = [(indicator, params)]
    return compute_all(wanted, candles, step_ms=step_ms, longest_gap=longest_gap)[0]


def compute_all(
    wanted: Sequence[tuple[Indicator, Parameters]],
    candles: Candles | CandleColumns | Columns,
    *,
    step_ms: int,
    longest_gap: int = LONGEST_GAP,
) -> list[dict[str, Floats]]:
    """Return what `compute` does for each of `wanted`; the candles are checked once for all."""
    columns = _checked(candles, {name for indicator, _ in wanted for name in indicator.inputs})
    walked = segments(columns[_OPEN_TIME], step_ms, longest_gap=longest_gap)
    return [
        _walk(indicator, indicator.resolve(params), columns, walked, begin(indicator, params))[0]
        for indicator, params in wanted
    ]


def advance(
    indicator: Indicator,
    candles: Candles | CandleColumns | Columns,
    params: Parameters,
    state: IndicatorState,
    *,
    step_ms: int,
    longest_gap: int = LONGEST_GAP,
) -> tuple[dict[str, Floats], IndicatorState]:
    """Return the outputs over `candles`, which follow those `state` has seen, and the new state.

    Any number of candles may come at once: the outputs have the same bits however they are split.
    Raises InvalidIndicator also for a state that belongs to other parameters.
    """
    resolved = indicator.resolve(params)
    if len(state.values) != indicator.state_size(resolved):
        raise InvalidIndicator(
            f"expected a state of {indicator.state_size(resolved)} numbers for {indicator.key} "
            f"with these parameters; it has {len(state.values)}"
        )
    columns = _checked(candles, indicator.inputs)
    walked = segments(
        columns[_OPEN_TIME], step_ms, after_ms=state.last_open_ms, longest_gap=longest_gap
    )
    return _walk(indicator, resolved, columns, walked, state)


def warm(indicators: Iterable[Indicator] = tuple(INDICATORS.values())) -> None:
    """Load or compile the kernels, so that the first candle does not wait for them.

    For processes that compute: a worker calls it when it starts. It takes a moment when the machine
    code is on disk, and some ten seconds of one core when it is not.
    """
    for indicator in indicators:
        columns = {name: np.ones(1) for name in indicator.inputs}
        compute(indicator, {**columns, _OPEN_TIME: np.zeros(1, np.int64)}, {}, step_ms=1)


def _walk(
    indicator: Indicator,
    resolved: Parameters,
    columns: Columns,
    walked: Iterable[Segment],
    state: IndicatorState,
) -> tuple[dict[str, Floats], IndicatorState]:
    times, values = columns[_OPEN_TIME], state.values.copy()
    inputs = [columns[name].astype(np.float64, copy=False) for name in indicator.inputs]
    # One block: large ones are mapped in large pages, which come much faster than small ones.
    outputs = np.empty((len(indicator.outputs), len(times)))
    kernel = _kernel(indicator.kernel)
    for start, end, is_new in walked:
        if is_new:
            values[:] = 0
        read, written = ([column[start:end] for column in each] for each in (inputs, outputs))
        kernel(*read, *resolved.values(), values, *written)
    last_ms = int(times[-1]) if len(times) else state.last_open_ms
    return dict(zip(indicator.outputs, outputs, strict=True)), IndicatorState(last_ms, values)


@cache
def _kernel(name: str) -> Callable[..., Any]:
    # Imported at the first use: importing Numba takes longer than starting a web process.
    module, _, function = name.partition(".")
    kernel: Callable[..., Any] = getattr(import_module(f"{_KERNELS}.{module}"), function)
    return kernel


def _checked(
    candles: Candles | CandleColumns | Columns, names: Iterable[str]
) -> dict[str, NDArray[Any]]:
    """Return the open times and the named columns, contiguous; InvalidCandles if not finite."""
    columns: dict[str, Any] = {
        name: _own(np.ascontiguousarray(candles[name], dtype=np.float64))
        for name in {*names} - {_OPEN_TIME}
    }
    is_finite = _kernel("checking.is_finite")
    for name, column in columns.items():
        if not is_finite(column):
            raise InvalidCandles(f"expected finite numbers as {name}; one is not")
    columns[_OPEN_TIME] = _own(np.ascontiguousarray(candles[_OPEN_TIME], dtype=np.int64))
    return columns


def _own(column: NDArray[_T]) -> NDArray[_T]:
    # Kernels are compiled for writable arrays; a second time for mapped files would be wasted.
    return column if type(column) is np.ndarray and column.flags.writeable else np.array(column)
