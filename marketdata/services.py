"""What people and commands may ask of market data: enable, disable, start, stop, restart."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

import structlog
from django.db import connection, transaction
from django.db.models import Model
from django.db.models.functions import Now

from marketdata import tasks
from marketdata.domain.errors import MarketDataError
from marketdata.exchanges import collected_exchanges
from marketdata.loading.listing import sync_instruments
from marketdata.models import (
    CandleConflict,
    Collector,
    DataGap,
    GapState,
    Instrument,
    RangeLock,
)
from marketdata.repair.idrule import resume_id_rule as resume
from marketdata.storage.choosing import store_theirs
from marketdata.storage.findings import UNTRIED
from marketdata.storage.locks import lock_instrument
from marketdata.supervision.manager import CollectorManager
from tcpdashboard.common import refusals
from tcpdashboard.common.hints import hint

_MOST_REASON: Final = 64
DEMO_SYMBOLS: Final = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "BTC-USDT-SWAP")

log = structlog.get_logger(__name__)


class Refused(MarketDataError, refusals.Refused):
    """What was asked for cannot be done as it stands: the message says what to change."""


def enable_instrument(instrument: Instrument) -> None:
    """Collect `instrument` live and load its history; both begin within seconds.

    Raises Refused for an exchange that is not collected here.
    """
    _refuse_other_exchange(instrument.exchange)
    with transaction.atomic():
        instrument.is_enabled = True
        instrument.save(update_fields=["is_enabled"])
        CollectorManager(instrument.exchange).assign()
        instrument.refresh_from_db(fields=["collector"])
        transaction.on_commit(lambda: hint(tasks.sweep_collectors))
        transaction.on_commit(lambda: hint(tasks.load_history, instrument.pk))
    log.info("instrument_enabled", instrument=str(instrument))


def disable_instrument(instrument: Instrument) -> None:
    """End the live collection of `instrument`; everything stored stays."""
    instrument.is_enabled = False
    instrument.save(update_fields=["is_enabled"])
    log.info("instrument_disabled", instrument=str(instrument))


def request_start(collector: Collector) -> None:
    """Let the collector run from now on. Raises Refused like `enable_instrument`."""
    _refuse_other_exchange(collector.exchange)
    _ask(collector, desired=Collector.Desired.RUNNING, requested_at=None, forgiven_at=Now())


def request_stop(collector: Collector) -> None:
    """Let the collector drain and end; it is not started again until asked for."""
    _ask(collector, desired=Collector.Desired.STOPPED)


def request_restart(collector: Collector) -> None:
    """Let the collector drain and start anew; a stopped one starts. Raises Refused likewise."""
    _refuse_other_exchange(collector.exchange)
    _ask(
        collector,
        desired=Collector.Desired.RUNNING,
        requested_at=None,
        restart_requested_at=Now(),
        forgiven_at=Now(),
    )


def repair_gap(gap: DataGap) -> None:
    """Try to repair `gap` again, at once and from the first attempt on.

    Raises Refused for a gap that is being repaired or is repaired, and for one of an exchange that
    is not collected here.
    """
    _refuse_other_exchange(gap.instrument.exchange)
    with transaction.atomic():
        waiting = DataGap.objects.filter(
            pk=gap.pk, state__in=(GapState.OPEN, GapState.UNREPAIRABLE)
        )
        values = {
            "state": GapState.OPEN,
            "attempts": 0,
            "next_attempt_at": Now(),
            **UNTRIED,
        }
        if not waiting.update(**values):
            raise Refused(f"{gap} is {DataGap.objects.get(pk=gap.pk).state}: nothing is to do")
        transaction.on_commit(lambda: hint(tasks.repair_gaps))
    gap.refresh_from_db()
    log.info("gap_tried_again", gap=gap.pk)


def resume_id_rule(instrument: Instrument) -> None:
    """Let missing trade ids be gaps again. Raises Refused where they are."""
    if not resume(instrument):
        raise Refused(f"the id rule of {instrument} is not suspended")
    log.info("id_rule_resumed", instrument=str(instrument))


def lock_range(lock: RangeLock, who: Model) -> None:
    """Store a new lock on a range; what is being written to the instrument is written before it."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, lock.instrument_id)
        lock.made_by_id = who.pk
        lock.save()
    log.info("range_locked", lock=lock.pk, range=str(lock), who=str(who))


def keep_ours(conflict: CandleConflict, who: str) -> None:
    """Leave the stored candle as it is; the row comes back when either side changes.

    Raises Refused when there is nothing to decide any more.
    """
    kept = CandleConflict.objects.filter(pk=conflict.pk, state=CandleConflict.State.OPEN).update(
        state=CandleConflict.State.KEPT, settled_at=Now(), how=f"kept by {who}"[:_MOST_REASON]
    )
    if not kept:
        raise Refused(f"{conflict} is settled already: nothing is to decide")
    log.info("conflict_kept", conflict=conflict.pk, who=who)


def take_theirs(conflict: CandleConflict, who: str) -> None:
    """Store the other side's candle in place of ours, with a revision.

    Raises Refused when there is nothing to decide any more, and while the minute is locked.
    """
    if not CandleConflict.objects.filter(pk=conflict.pk, state=CandleConflict.State.OPEN).exists():
        raise Refused(f"{conflict} is settled already: nothing is to decide")
    if store_theirs(conflict, f"theirs taken by {who}"[:_MOST_REASON]).locked:
        raise Refused(f"{conflict} is locked: remove the lock first")
    log.info("conflict_taken", conflict=conflict.pk, who=who)


def instruments_of(exchange: str, symbols: Sequence[str]) -> list[Instrument]:
    """Return the instruments named, fetching the exchange's list when one is not known yet.

    Raises Refused naming what the exchange lists instead, and what `sync_instruments` raises.
    """
    known = _known(exchange, symbols)
    if missing := set(symbols) - set(known):
        sync_instruments(exchange)
        known = _known(exchange, symbols)
        missing -= set(known)
    if missing:
        raise Refused(_unknown(exchange, min(missing)))
    return [known[symbol] for symbol in symbols]


def foreground_collector(exchange: str, symbols: Sequence[str], name: str) -> Collector:
    """Return a row, never started by the sweep, under which `symbols` may be collected here.

    Raises Refused while a running collector has one of them.
    """
    collected = (
        Instrument.objects.enabled()
        .filter(exchange=exchange, symbol__in=symbols, collector__lease_expires_at__gt=Now())
        .exclude(collector__name=name)
        .select_related("collector")
    )
    if busy := collected.first():
        raise Refused(
            f"{busy.symbol} is being collected by collector {busy.collector}: stop that one "
            "first, on its admin page or by POST /api/v1/collectors/<name>/stop/"
        )
    defaults = {"exchange": exchange, "desired": Collector.Desired.STOPPED}
    return Collector.objects.get_or_create(name=name, defaults=defaults)[0]


def seed_demo(exchange: str) -> list[Instrument]:
    """Enable a handful of instruments on an installation that has no collector yet.

    Later calls change nothing, so that what people disabled stays disabled. Returns what was
    enabled. Raises Refused and what `sync_instruments` raises.
    """
    if Collector.objects.filter(name=exchange).exists():
        return []
    sync_instruments(exchange)
    instruments = list(_known(exchange, DEMO_SYMBOLS).values())
    if not instruments:
        raise Refused(f"{exchange} lists none of {', '.join(DEMO_SYMBOLS)}: enable others yourself")
    with transaction.atomic():
        for instrument in instruments:
            enable_instrument(instrument)
    return instruments


def _refuse_other_exchange(exchange: str) -> None:
    collected = collected_exchanges()
    if exchange not in collected:
        raise Refused(
            f"{exchange} is not collected here: this installation was started for "
            f"{', '.join(collected)} (TCPD_EXCHANGE, TCPD_MORE_EXCHANGES)"
        )


def _known(exchange: str, symbols: Sequence[str]) -> dict[str, Instrument]:
    rows = Instrument.objects.filter(exchange=exchange, symbol__in=symbols)
    return {row.symbol: row for row in rows}


def _unknown(exchange: str, symbol: str) -> str:
    listed = Instrument.objects.filter(exchange=exchange).values_list("symbol", flat=True)
    close = difflib.get_close_matches(symbol, list(listed))
    meant = f"; did you mean {', '.join(close)}?" if close else ""
    return f"{exchange} lists no instrument {symbol!r}{meant}"


def _ask(collector: Collector, **values: object) -> None:
    # Only these columns: the holder writes the others at the same time.
    with transaction.atomic():
        Collector.objects.filter(pk=collector.pk).update(**values)
        transaction.on_commit(lambda: hint(tasks.sweep_collectors))
    collector.refresh_from_db()
    log.info("collector_asked", collector=collector.name, desired=collector.desired)
