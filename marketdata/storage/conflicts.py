"""Candles of which two sources say different things: both are kept until they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import CANDLE_DTYPE, Candles, empty_candles
from marketdata.models import CandleConflict, from_ms

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_NAMES: Final = ("open", "high", "low", "close", "volume", "quote_volume")
_OURS: Final = tuple(f"our_{name}" for name in _NAMES)
_THEIRS: Final = tuple(f"their_{name}" for name in _NAMES)
_BOTH: Final = (*_OURS, *_THEIRS, "their_source")

# Names of this file alone. A row that a person left as it is stays so for as long as both sides
# say what they said then.
_RECORD: Final = f"""
insert into marketdata_candleconflict as known
    (instrument_id, open_time, kind, state, {", ".join(_BOTH)})
values (%s, %s, %s, 'open', {", ".join(["%s"] * len(_BOTH))})
on conflict (instrument_id, open_time, kind) do update set
    state = 'open', settled_at = null, how = '', attempts = 0, tried_at = null, found_at = now(),
    {", ".join(f"{name} = excluded.{name}" for name in _BOTH)}
where known.state = 'settled' or ({", ".join(f"known.{name}" for name in _BOTH)})
    is distinct from ({", ".join(f"excluded.{name}" for name in _BOTH)})
"""  # noqa: S608

_SELECT: Final = f"""
select (extract(epoch from open_time) * 1000)::bigint,
    {", ".join(f"coalesce({name}, 'NaN')" for name in _THEIRS)}, their_source
from marketdata_candleconflict
where instrument_id = %s and kind = %s and state <> 'settled' and open_time between %s and %s
order by open_time
"""  # noqa: S608

_SETTLE: Final = """
update marketdata_candleconflict set state = 'settled', settled_at = now(), how = %s
where instrument_id = %s and kind = %s and state <> 'settled' and open_time = any(%s)
"""


def record_conflicts(
    cursor: CursorWrapper,
    instrument_id: int,
    kind: CandleConflict.Kind,
    ours: Candles,
    theirs: Candles,
) -> None:
    """Keep `theirs` beside `ours`, those of the same times; ours may be missing.

    What is known already is left as it is, its number of attempts too.
    """
    known = {int(our["open_time_ms"]): our for our in ours}
    for their in theirs:
        open_ms = int(their["open_time_ms"])
        our = known.get(open_ms)
        our_values = [None] * len(_NAMES) if our is None else _values(our)
        values = [*our_values, *_values(their), int(their["source"])]
        cursor.execute(_RECORD, [instrument_id, from_ms(open_ms), kind.value, *values])


def open_conflicts(
    cursor: CursorWrapper,
    instrument_id: int,
    kind: CandleConflict.Kind,
    open_times: NDArray[np.int64],
) -> Candles:
    """Return what the other side says of those of `open_times` that have a conflict.

    Only times, prices, volumes and source are filled in. `open_times` rise and are not empty.
    """
    span = from_ms(int(open_times[0])), from_ms(int(open_times[-1]))
    cursor.execute(_SELECT, [instrument_id, kind.value, *span])
    rows = cursor.fetchall()
    if not rows:
        return empty_candles()
    theirs = np.zeros(len(rows), dtype=CANDLE_DTYPE)
    names = ("open_time_ms", *_NAMES, "source")
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        theirs[name] = column
    wanted: Candles = theirs[np.isin(theirs["open_time_ms"], open_times)]
    return wanted


def settle_conflicts(
    cursor: CursorWrapper,
    instrument_id: int,
    kind: CandleConflict.Kind,
    open_times: NDArray[np.int64],
    how: str,
) -> None:
    """Note that both sides say the same of these minutes now."""
    if len(open_times):
        times = [from_ms(time_ms) for time_ms in open_times.tolist()]
        cursor.execute(_SETTLE, [how, instrument_id, kind.value, times])


def _values(candle: np.void) -> list[float | None]:
    values = [float(candle[name]) for name in _NAMES]
    return [None if np.isnan(value) else value for value in values]
