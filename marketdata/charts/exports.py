"""A window as a file: CSV with the header the import command reads, or columnar JSON."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from marketdata.charts.windows import ChartWindow, Columns

CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def export_window(window: ChartWindow, file_format: str) -> bytes:
    """Return the candles of `window` with their indicators; rows of gaps are left out."""
    columns = _present(window.columns)
    columns = {"open_time_ms": columns.pop("time"), **columns}
    return _csv(columns) if file_format == "csv" else _json(columns)


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
