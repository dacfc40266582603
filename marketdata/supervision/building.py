"""Puts a collector together from its row: what to collect, from where, and to whom it goes."""

from __future__ import annotations

from django.conf import settings

from marketdata.collector.base import BaseCollector
from marketdata.collector.okx.collector import OKXCollector
from marketdata.collector.ports import Credential
from marketdata.domain.raw import read_rates
from marketdata.exchanges import exchange_endpoints
from marketdata.models import Collector, Instrument
from marketdata.publishing import LivePublisher
from marketdata.storage import DatabaseSink
from marketdata.storage.credentials import read_credential
from marketdata.storage.recording import DatabaseRecorder
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
    credential = _credential(row)
    collector = OKXCollector(
        exchange=row.exchange,
        endpoints=exchange_endpoints(row.exchange, is_demo=bool(credential and credential.is_demo)),
        instruments=[instrument.spec for instrument in instruments],
        sink=AnnouncingSink(
            DatabaseSink(row.pk, row.exchange, lease.token),
            {instrument.symbol: instrument.pk for instrument in instruments},
        ),
        publisher=publisher,
        recorder=DatabaseRecorder(row.exchange, collector_id=row.pk, fencing_token=lease.token),
        raw_every_s=read_rates(settings.RAW_SECONDS),
        credential=credential,
    )
    return collector, publisher


def _credential(row: Collector) -> Credential | None:
    """Return the account's access, for the first of an exchange's collectors: once is enough."""
    wanted = Collector.objects.filter(exchange=row.exchange, desired=Collector.Desired.RUNNING)
    first = wanted.order_by("pk").values_list("pk", flat=True).first()
    return read_credential(row.exchange) if first == row.pk else None


def _instruments(row: Collector, symbols: tuple[str, ...] | None) -> list[Instrument]:
    if symbols is None:
        return list(row.instruments.enabled())
    return list(Instrument.objects.filter(exchange=row.exchange, symbol__in=symbols))
