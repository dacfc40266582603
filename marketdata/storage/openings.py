"""The first trade of a minute, kept as it was first known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from marketdata.domain.records import Opening

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_INSERT: Final = """
insert into marketdata_opening (instrument_id, open_time, price, trade_id, executed_at)
select %s, timestamptz 'epoch' + open_ms * interval '1 ms', price, trade_id,
    timestamptz 'epoch' + time_ms * interval '1 ms'
from unnest(%s::bigint[], %s::float8[], %s::bigint[], %s::bigint[])
    as opening (open_ms, price, trade_id, time_ms)
on conflict do nothing
"""


def write_openings(
    cursor: CursorWrapper, instrument_id: int, openings: tuple[Opening, ...]
) -> None:
    """Store the openings of minutes that have none yet; a stored opening never changes."""
    if openings:
        columns = zip(
            *((one.open_time_ms, one.price, one.trade_id, one.time_ms) for one in openings),
            strict=True,
        )
        cursor.execute(_INSERT, [instrument_id, *map(list, columns)])
