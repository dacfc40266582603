"""What a closed candle said before it was changed, or that it was not there, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import Timeframe
from marketdata.storage.copying import (
    FLOAT8,
    INT2,
    INT4,
    INT8,
    Columns,
    copy_in,
    row_layout,
    timestamps,
)
from marketdata.storage.merging import FIGURES

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_KEY: Final = {"instrument_id": INT8, "timeframe": INT2, "open_time": INT8, "revision": INT4}
_FIGURES: Final = dict.fromkeys(FIGURES, FLOAT8) | {
    "trade_count": INT8,
    "minutes": INT2,
    "source": INT2,
}

_NEW_FIGURES: Final = {f"new_{name}": kind for name, kind in _FIGURES.items()}


def record_changes(
    cursor: CursorWrapper,
    instrument_id: int,
    timeframe: Timeframe,
    before: Candles,
    after: Candles,
    reason: str,
) -> None:
    """Record that candles said what is in `before`, row by row, until they said `after`."""
    columns = _columns(instrument_id, timeframe, after, reason)
    figures = {name: before[name] for name in _FIGURES}
    _record(cursor, {**columns, **figures}, _FIGURES, len(after), reason)


def record_late(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, candles: Candles, reason: str
) -> None:
    """Record that `candles` were inserted among others that had been closed before."""
    columns = _columns(instrument_id, timeframe, candles, reason)
    _record(cursor, columns, {}, len(candles), reason)


def _columns(instrument_id: int, timeframe: Timeframe, after: Candles, reason: str) -> Columns:
    return {
        "instrument_id": instrument_id,
        "timeframe": timeframe.minutes,
        "open_time": timestamps(after["open_time_ms"]),
        "revision": after["revision"],
        "reason": reason.encode(),
        **{f"new_{name}": after[name] for name in _FIGURES},
    }


def _record(
    cursor: CursorWrapper,
    columns: Columns,
    figures: dict[str, str],
    number: int,
    reason: str,
) -> None:
    if number:
        told = {"reason": f"S{len(reason.encode())}"}
        layout = row_layout({**_KEY, **figures, **_NEW_FIGURES, **told})
        copy_in(cursor, "marketdata_candlerevision", layout, number, columns)
