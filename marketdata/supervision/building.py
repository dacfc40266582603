"""Puts a collector together from its row: what to collect, from where, and to whom it goes."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from marketdata.collector.base import BaseCollector
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.raw import RawChannel, read_rates
from marketdata.exchanges import Parts, exchange_named
from marketdata.models import Collector, Instrument
from marketdata.publishing import LivePublisher
from marketdata.storage import DatabaseSink
from marketdata.storage.credentials import read_credential
from marketdata.storage.recording import DatabaseRecorder
from marketdata.supervision.announcing import AnnouncingSink
from marketdata.supervision.lease import Lease

_COMMON: Final = frozenset({RawChannel.STATUS, RawChannel.INSTRUMENTS, RawChannel.BALANCES})


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
    rates, is_first = read_rates(settings.RAW_SECONDS), _is_first(row)
    parts = Parts(
        exchange=row.exchange,
        instruments=[instrument.spec for instrument in instruments],
        sink=AnnouncingSink(DatabaseSink(row.pk, row.exchange, lease.token), row.exchange),
        publisher=publisher,
        settings=collector_settings(),
        recorder=DatabaseRecorder(row.exchange, collector_id=row.pk, fencing_token=lease.token),
        raw_every_s={name: rates[name] for name in rates if is_first or name not in _COMMON},
        credential=read_credential(row.exchange) if is_first else None,
    )
    return exchange_named(row.exchange).collector(parts), publisher


def collector_settings() -> CollectorSettings:
    """Return the tunables of collectors that an installation may set."""
    return CollectorSettings(
        channels_per_connection=settings.SOCKET_CHANNELS,
        channel_silence_s=settings.CHANNEL_SILENCE_SECONDS,
        candle_silence_s=settings.CANDLE_SILENCE_SECONDS,
        refused_retry_s=settings.CHANNEL_RETRY_SECONDS,
        stale_exchange_ms=int(settings.FEED_STALE_SECONDS * 1000),
    )


def _is_first(row: Collector) -> bool:
    """Whether what belongs to no instrument is this one's: once for an exchange is enough."""
    wanted = Collector.objects.filter(exchange=row.exchange, desired=Collector.Desired.RUNNING)
    return wanted.order_by("pk").values_list("pk", flat=True).first() == row.pk


def _instruments(row: Collector, symbols: tuple[str, ...] | None) -> list[Instrument]:
    if symbols is None:
        return list(row.instruments.enabled())
    return list(Instrument.objects.filter(exchange=row.exchange, symbol__in=symbols))
