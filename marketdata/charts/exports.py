"""A window as a file: CSV with the header the import command reads, or columnar JSON.

The column `closed` is 1, and 0 for the candle that is still forming: an import leaves that one out.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from marketdata.charts.windows import PRICE_COLUMNS, ChartWindow, Columns

CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def export_window(
    window: ChartWindow, file_format: str, forming: Sequence[float] | None = None
) -> bytes:
    """Return the candles of `window` with their indicators; rows of gaps are left out.

    `forming` is the candle after the stored ones: open time, open, high, low, close, volume. It is
    left out where it is not in the window. It has no indicators: they are of closed candles.
    """
    columns = _present(window.columns)
    candles = {"open_time_ms": columns.pop("time")}
    candles |= {name: columns.pop(name) for name in PRICE_COLUMNS}
    candles |= {"closed": np.ones(len(candles["open_time_ms"]), dtype=np.int64), **columns}
    if forming is not None and _follows(forming, candles["open_time_ms"], window):
        candles = _with_row(candles, [*forming, 0])
    return _csv(candles) if file_format == "csv" else _json(candles)


def _follows(
    forming: Sequence[float], stored: NDArray[np.int64], window: ChartWindow
) -> np.bool | bool:
    is_new = not len(stored) or forming[0] > stored[-1]
    return is_new and window.start_ms <= forming[0] < window.end_ms


def _with_row(columns: Columns, row: Sequence[float]) -> Columns:
    values = [*row, *[np.nan] * (len(columns) - len(row))]
    return {
        name: np.append(column, np.array(value, dtype=column.dtype))
        for (name, column), value in zip(columns.items(), values, strict=True)
    }


def _present(columns: Columns) -> Columns:
    is_candle = ~np.isnan(columns["close"])
    return {name: values[is_candle] for name, values in columns.items()}


def _csv(columns: Columns) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*map(_texts, columns.values()), strict=True))
    return text.getvalue().encode()


def _json(columns: Columns) -> bytes:
    contiguous = {name: np.ascontiguousarray(values) for name, values in columns.items()}
    return orjson.dumps(contiguous, option=orjson.OPT_SERIALIZE_NUMPY)


def _texts(values: NDArray[np.generic]) -> list[str]:
    """Write each number as the shortest text that reads back as the same one; NaN as nothing."""
    return ["" if value != value else _text(value) for value in values.tolist()]


def _text(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(value)
