"""The minute that runs, with the trades that wait behind a hole."""

from __future__ import annotations

import numpy as np

from marketdata.domain.minutes import PartMinute, sum_minutes
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.sequence import Run
from marketdata.domain.timeframe import Timeframe


def newest_minute(
    part: PartMinute | None, waiting: list[Run], spec: InstrumentSpec
) -> PartMinute | None:
    """Return the newest minute of `part`, which is being built, and of the trades that wait."""
    known = [run.rows for run in waiting if run.parts]
    if not known:
        return part
    newest_ms = Timeframe.M1.open_time(max(int(rows["time_ms"].max()) for rows in known))
    inside = np.concatenate([rows[rows["time_ms"] >= newest_ms] for rows in known])
    newest = sum_minutes(inside, spec).part(0)
    if part is not None and part.open_time_ms >= newest_ms:
        return part.joined(newest) if part.open_time_ms == newest_ms else part
    return newest
