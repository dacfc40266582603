"""A whole result as Parquet, for notebooks: minutes, events and indicators in a folder.

Needs pyarrow, which the project does without otherwise; see docs/decisions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtests.domain.records import EVENT
from backtests.domain.result import BacktestResult
from backtests.domain.result_json import UnknownFormat, events_of, head_as_json, result_of

MINUTES: Final = ("close_times", "closes", "equity")
_KEY: Final = b"tcpdashboard"


class NoParquet(RuntimeError):
    """pyarrow is not installed; the text says how to."""


def write_parquet(result: BacktestResult, folder: Path) -> None:
    """Write minutes.parquet, events.parquet and indicators.parquet into a folder.

    Prices are ticks and money is in cash units; what these are stands in each file's metadata.
    Raises NoParquet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    head = {_KEY: json.dumps(head_as_json(result)).encode()}
    tables = {
        "minutes": {name: getattr(result, name) for name in MINUTES},
        "events": {name: np.ascontiguousarray(result.events[name]) for name in EVENT.names or ()},
        "indicators": {"close_times": result.indicator_times, **result.indicators},
    }
    arrow, parquet = _arrow()
    for name, columns in tables.items():
        table = arrow.table(columns).replace_schema_metadata(head)
        parquet.write_table(table, folder / f"{name}.parquet")


def read_parquet(folder: Path) -> BacktestResult:
    """Return the result that `write_parquet` wrote. Raises NoParquet, UnknownFormat and OSError."""
    _, parquet = _arrow()
    tables = {
        name: parquet.read_table(folder / f"{name}.parquet")
        for name in ("minutes", "events", "indicators")
    }
    told = (tables["minutes"].schema.metadata or {}).get(_KEY)
    if told is None:
        raise UnknownFormat(f"{folder} holds no result: its files say nothing of one")
    columns = {name: _columns(table) for name, table in tables.items()}
    times = columns["indicators"].pop("close_times")
    return result_of(
        json.loads(told),
        {**columns["minutes"], "indicator_times": times},
        events_of(columns["events"]),
        columns["indicators"],
    )


def _columns(table: Any) -> dict[str, Any]:
    # Copied, so that kernels, which are compiled for writable arrays, take them.
    return {name: table.column(name).to_numpy().copy() for name in table.column_names}


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise NoParquet("Parquet needs pyarrow: install it with pip install pyarrow") from error
    return pyarrow, parquet
