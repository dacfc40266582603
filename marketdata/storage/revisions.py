"""What a closed candle said before it was changed, or that it was not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

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


def record_changes(
    cursor: CursorWrapper,
    instrument_id: int,
    timeframe: Timeframe,
    before: Candles,
    revisions: NDArray[np.int32],
    reason: str,
) -> None:
    """Record what candles said before they became `revisions`."""
    figures = {name: before[name] for name in FIGURES}
    columns = {**_key(instrument_id, timeframe, before, reason), "revision": revisions}
    _record(cursor, columns | figures, _FIGURES, len(before), reason)


def record_late(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, candles: Candles, reason: str
) -> None:
    """Record that `candles` were inserted among others that had been closed before."""
    columns = {**_key(instrument_id, timeframe, candles, reason), "revision": candles["revision"]}
    _record(cursor, columns, {}, len(candles), reason)


def _key(instrument_id: int, timeframe: Timeframe, candles: Candles, reason: str) -> Columns:
    return {
        "instrument_id": instrument_id,
        "timeframe": timeframe.minutes,
        "open_time": timestamps(candles["open_time_ms"]),
        "reason": reason.encode(),
    }


def _record(
    cursor: CursorWrapper,
    columns: Columns,
    figures: dict[str, str],
    number: int,
    reason: str,
) -> None:
    if number:
        layout = row_layout({**_KEY, **figures, "reason": f"S{len(reason.encode())}"})
        copy_in(cursor, "marketdata_candlerevision", layout, number, columns)
