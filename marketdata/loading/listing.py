"""Keeps the table of instruments equal to what the exchange lists."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.ports import History, InstrumentInfo
from marketdata.exchanges import open_history
from marketdata.models import Instrument, from_ms

KINDS: Final = ("spot", "swap")
GONE: Final = "gone"

_SAME: Final = (
    "kind",
    "base",
    "quote",
    "tick_size",
    "lot_size",
    "min_size",
    "contract_value",
    "state",
)
_FIELDS: Final = (*_SAME, "listed_at")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a synchronisation changed. Instruments that vanished become `gone`, never deleted."""

    added: int
    changed: int
    gone: int


def sync_instruments(exchange: str) -> Listing:
    """Fetch the exchange's instruments and bring the table up to date.

    Raises ExchangeUnavailable, ExchangeRefused, and ImproperlyConfigured for a wrong address.
    """
    return store_instruments(exchange, asyncio.run(_fetch(exchange)))


def store_instruments(exchange: str, listed: Iterable[InstrumentInfo]) -> Listing:
    """Bring the table up to date with everything that `listed` holds.

    Raises ExchangeUnavailable, with nothing changed, when a whole kind would be gone: no exchange
    closes a market at once, but answers of a bad moment have been empty.
    """
    known = {row.symbol: row for row in Instrument.objects.filter(exchange=exchange)}
    wanted = {info.symbol: _values(info) for info in listed}
    _check_kinds(known.values(), wanted.values())
    new = [
        Instrument(exchange=exchange, symbol=symbol, **values)
        for symbol, values in wanted.items()
        if symbol not in known
    ]
    changed = [
        row for symbol, row in known.items() if symbol in wanted and _assign(row, wanted[symbol])
    ]
    gone = [
        row
        for symbol, row in known.items()
        if symbol not in wanted and _assign(row, {"state": GONE})
    ]
    Instrument.objects.bulk_create(new, ignore_conflicts=True)
    Instrument.objects.bulk_update([*changed, *gone], _FIELDS, batch_size=500)
    return Listing(len(new), len(changed), len(gone))


def _check_kinds(known: Iterable[Instrument], wanted: Iterable[dict[str, Any]]) -> None:
    """Raise ExchangeUnavailable when nothing is listed of a kind that had instruments."""
    listed = {values["kind"] for values in wanted}
    missing = Counter(row.kind for row in known if row.state != GONE and row.kind not in listed)
    for kind, count in sorted(missing.items()):
        raise ExchangeUnavailable(f"the list of {kind} instruments is empty; {count} are known")


async def _fetch(exchange: str) -> list[InstrumentInfo]:
    async with open_history(exchange) as history:
        return [info for kind in KINDS for info in await _of_kind(history, kind)]


async def _of_kind(history: History, kind: str) -> list[InstrumentInfo]:
    return await history.instruments(kind)


def _values(info: InstrumentInfo) -> dict[str, Any]:
    listed_at = None if info.listed_ms is None else from_ms(info.listed_ms)
    return {name: getattr(info, name) for name in _SAME} | {"listed_at": listed_at}


def _assign(row: Instrument, values: dict[str, Any]) -> bool:
    """Write `values` to the row and return whether any was new."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)
