"""Candles as the header and the arrays of a frame, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from numpy.typing import NDArray

from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe


def described(candles: Series) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return what `series_of` makes the same candles of."""
    spec = candles.spec
    header = {
        "timeframe": candles.timeframe.value,
        "symbol": spec.symbol,
        "sizes": [str(spec.tick_size), str(spec.lot_size), str(spec.contract_value)],
        "has_id_rule": spec.has_id_rule,
    }
    rows = candles.rows
    columns = rows if isinstance(rows, CandleColumns) else CandleColumns.of(rows)
    return header, [getattr(columns, name) for name in COLUMN_TYPES]


def series_of(header: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> Series:
    """Return the candles of a frame."""
    tick, lot, contract = map(Decimal, header["sizes"])
    spec = InstrumentSpec(header["symbol"], tick, lot, contract, header["has_id_rule"])
    return Series(Timeframe(header["timeframe"]), spec, CandleColumns(*arrays))
