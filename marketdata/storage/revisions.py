"""What a closed candle said before it was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketdata.domain.records import Candles
from marketdata.domain.timeframe import Timeframe
from marketdata.storage.copying import (
    FLOAT8,
    INT2,
    INT4,
    INT8,
    Rows,
    copy_in,
    new_rows,
    row_layout,
    timestamps,
)
from marketdata.storage.merging import FIGURES

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_FORMATS: Final = {"trade_count": INT8, "minutes": INT2, "source": INT2}


def record_changes(
    cursor: CursorWrapper,
    instrument_id: int,
    timeframe: Timeframe,
    before: Candles,
    after: Candles,
    reason: str,
) -> None:
    """Record that `before` became `after`, row by row the same candles."""
    if len(after):
        rows = _rows(instrument_id, timeframe, after, reason, ("old", "new"))
        for name in FIGURES:
            rows[f"old_{name}"] = before[name]
        copy_in(cursor, "marketdata_candlerevision", rows)


def record_late(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, candles: Candles, reason: str
) -> None:
    """Record that `candles` were inserted among others that had been closed before."""
    if len(candles):
        rows = _rows(instrument_id, timeframe, candles, reason, ("new",))
        copy_in(cursor, "marketdata_candlerevision", rows)


def _rows(
    instrument_id: int, timeframe: Timeframe, after: Candles, reason: str, sides: tuple[str, ...]
) -> Rows:
    text = reason.encode()
    columns = {"instrument_id": INT8, "timeframe": INT2, "open_time": INT8, "revision": INT4}
    figures = {f"{side}_{name}": _FORMATS.get(name, FLOAT8) for side in sides for name in FIGURES}
    rows = new_rows(row_layout({**columns, **figures, "reason": f"S{len(text)}"}), len(after))
    rows["instrument_id"], rows["timeframe"] = instrument_id, timeframe.minutes
    rows["open_time"], rows["revision"] = timestamps(after["open_time_ms"]), after["revision"]
    rows["reason"] = text
    for name in FIGURES:
        rows[f"new_{name}"] = after[name]
    return rows
