"""Puts a collector together from its row: what to collect, from where, and to whom it goes."""

from __future__ import annotations

from django.conf import settings

from marketdata.collector.base import BaseCollector
from marketdata.collector.okx.collector import OKXCollector
from marketdata.exchanges import exchange_endpoints
from marketdata.models import Collector, Instrument
from marketdata.publishing import LivePublisher
from marketdata.storage import DatabaseSink
from marketdata.supervision.announcing import AnnouncingSink
from marketdata.supervision.lease import Lease


def build_collector(
    lease: Lease, symbols: tuple[str, ...] | None = None
) -> tuple[BaseCollector, LivePublisher]:
    """Return a collector of the row's enabled instruments, or of `symbols`, writing as `lease`.

    The publisher is the caller's to close when the collector has ended.
    """
    row = Collector.objects.get(pk=lease.collector_id)
    instruments = _instruments(row, symbols)
    swaps = [one.symbol for one in instruments if one.kind == Instrument.Kind.SWAP]
    publisher = LivePublisher(row.exchange, settings.REDIS_URL, swaps)
    collector = OKXCollector(
        exchange=row.exchange,
        endpoints=exchange_endpoints(row.exchange),
        instruments=[instrument.spec for instrument in instruments],
        sink=AnnouncingSink(
            DatabaseSink(row.pk, row.exchange, lease.token),
            {instrument.symbol: instrument.pk for instrument in instruments},
        ),
        publisher=publisher,
    )
    return collector, publisher


def _instruments(row: Collector, symbols: tuple[str, ...] | None) -> list[Instrument]:
    if symbols is None:
        return list(row.instruments.enabled())
    return list(Instrument.objects.filter(exchange=row.exchange, symbol__in=symbols))
