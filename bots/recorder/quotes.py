"""The best bid and ask of an instrument when something was decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import connection

from marketdata.models import from_ms, to_ms

# A ticker comes several times a second; one of a minute ago says nothing of this decision.
_NEWEST: Final = """
select close, (payload ->> 'bidPx')::float8, (payload ->> 'askPx')::float8
from unnest(%s::timestamptz[]) as decided (close) cross join lateral (
    select payload from marketdata_rawmessage
    where channel = 'tickers' and instrument_id = %s
    and exchange_time > close - interval '1 minute' and exchange_time <= close + interval '5 s'
    order by exchange_time desc limit 1
) as ticker
where payload ->> 'bidPx' <> '' and payload ->> 'askPx' <> ''
"""


def best_prices(instrument_id: int, closes_ms: Iterable[int]) -> dict[int, tuple[float, float]]:
    """Return bid and ask at the closes for which a ticker is stored."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [[from_ms(one) for one in sorted(closes_ms)], instrument_id])
        return {to_ms(close): (bid, ask) for close, bid, ask in cursor.fetchall()}
