"""Takes away what is over: archived where wanted, a partition or a small batch at a time.

Whatever ends it in between, the next run goes on: a retired partition is found by its name, an
archive that was written by its row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import OperationalError, connection
from django.db.models.functions import Now

from marketdata.models import TRADES, Archive, Instrument, from_ms
from marketdata.retention.planning import data_now_ms, expired_partitions
from marketdata.storage.archives import ArchiveDamaged, write_archive
from marketdata.storage.locks import alone
from marketdata.storage.partitions import Partition, count, drop, prepare_days, retire
from marketdata.storage.policies import Policy, policies
from marketdata.storage.raw_archives import partition_query
from marketdata.storage.trade_chunks import drop_trade_chunks
from marketdata.storage.trade_days import (
    TradeDay,
    archive_query,
    count_received,
    delete_some,
    oldest_day,
    reason_to_stay,
)
from tcpdashboard.common.alerts import end_alert, raise_alert

NOT_ENFORCED: Final = "retention not enforced"
DAYS_AHEAD: Final = 4
# The key of the advisory lock on enforcing.
_ENFORCING: Final = 7141
# Transactions that began before this have ended: what they wrote is in the archive too.
_SETTLED: Final = timedelta(minutes=10)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Outcome:
    """What a run took away. `is_whole` is False when it ended before everything was done."""

    partitions: int = 0
    trade_days: int = 0
    archives: list[str] = field(default_factory=list)
    is_whole: bool = True
    tried: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


def prepare_partitions() -> None:
    """Make the partitions of today and the next three days."""
    prepare_days(from_ms(data_now_ms()).date(), DAYS_AHEAD)


def enforce(budget_s: float = 600.0) -> Outcome:
    """Take away what is over for at most about `budget_s` seconds; go on next time.

    What cannot be archived stays, with an alert. A second run at the same time does nothing.
    """
    outcome = Outcome()
    with alone(_ENFORCING) as is_mine:
        if not is_mine:
            outcome.is_whole = False
            return outcome
        end_s, now_ms = time.monotonic() + budget_s, data_now_ms()
        for what, step in _steps(now_ms, outcome, end_s):
            if time.monotonic() >= end_s:
                outcome.is_whole = False
                break
            _take(what, step, outcome)
        # A run that ended early knows nothing of what it did not come to.
        known = {*policies()} if outcome.is_whole else outcome.tried
        for what in known - outcome.failed:
            end_alert(NOT_ENFORCED, what)
    return outcome


@dataclass(frozen=True, slots=True)
class _PartitionStep:
    partition: Partition
    policy: Policy

    def take(self, outcome: Outcome) -> None:
        """Retire, archive, drop: the rows are counted only where they are archived."""
        partition = self.partition
        if not partition.is_retired:
            partition = retire(partition)
        if self.policy.is_archived:
            outcome.archives.append(_archive_partition(partition))
        drop(partition)
        Archive.objects.filter(
            what=partition.channel.value, day=partition.day, dropped_at=None
        ).update(dropped_at=Now())
        outcome.partitions += 1
        log.info("partition_dropped", table=partition.table, bytes=partition.bytes)


@dataclass(frozen=True, slots=True)
class _ChunksStep:
    """Days of trades that nobody needs, where they lie in chunks, which go as a whole."""

    policy: Policy
    now_ms: int

    def take(self, outcome: Outcome) -> None:
        until = from_ms(self.policy.first_kept_ms(self.now_ms))
        outcome.partitions += drop_trade_chunks(
            until, lambda day: reason_to_stay(day, self.now_ms) is not None
        )


@dataclass(frozen=True, slots=True)
class _TradesStep:
    instrument: Instrument
    policy: Policy
    now_ms: int
    end_s: float

    def take(self, outcome: Outcome) -> None:
        """Take an instrument's days in order, up to the first that is needed."""
        until_ms = self.policy.first_kept_ms(self.now_ms)
        while (day := oldest_day(self.instrument)) is not None and day.start_ms < until_ms:
            if time.monotonic() >= self.end_s:
                outcome.is_whole = False
                return
            if reason := reason_to_stay(day, self.now_ms):
                log.info("trades_kept", instrument=str(self.instrument), reason=reason)
                return
            if not _take_day(day, self.policy, outcome):
                return
            outcome.trade_days += 1


_Step = _PartitionStep | _ChunksStep | _TradesStep


def _steps(now_ms: int, outcome: Outcome, end_s: float) -> Iterator[tuple[str, _Step]]:
    for partition, policy in expired_partitions(now_ms):
        yield partition.channel.value, _PartitionStep(partition, policy)
    policy = policies()[TRADES]
    if policy.keep_days is not None:
        if not policy.is_archived:
            yield TRADES, _ChunksStep(policy, now_ms)
        for instrument in Instrument.objects.all():
            yield TRADES, _TradesStep(instrument, policy, now_ms, end_s)


def _take(what: str, step: _Step, outcome: Outcome) -> None:
    """Take one step. What is in the way now is tried again by the next run, and stops no other."""
    outcome.tried.add(what)
    try:
        step.take(outcome)
    except (ArchiveDamaged, OSError) as error:
        outcome.is_whole = False
        outcome.failed.add(what)
        raise_alert(NOT_ENFORCED, what, f"{what} could not be archived and stays: {error}")
    except OperationalError as error:
        outcome.is_whole = False
        outcome.failed.add(what)
        log.warning("retention_waits", what=what, error=str(error).strip())
    except Exception as error:
        outcome.is_whole = False
        outcome.failed.add(what)
        log.exception("retention_failed", what=what)
        raise_alert(NOT_ENFORCED, what, f"{what} could not be taken away and stays: {error}")


def _archive_partition(partition: Partition) -> str:
    """Write a retired partition into a file, unless that was done before."""
    channel, day = partition.channel.value, partition.day
    rows = count(partition)
    known = Archive.objects.filter(what=channel, day=day, dropped_at=None).first()
    if known is not None and known.rows == rows:
        return known.name
    name = f"raw/{channel}/{day:%Y/%m}/{channel}-{day}.csv.gz"
    content = write_archive(name, partition_query(partition), rows)
    Archive.objects.create(
        what=channel,
        day=day,
        name=content.name,
        rows=content.rows,
        bytes=content.bytes,
        sha256=content.sha256,
    )
    return content.name


def _take_day(day: TradeDay, policy: Policy, outcome: Outcome) -> bool:
    """Take a day's trades away; False when some came too lately to be sure of."""
    through = from_ms(time.time_ns() // 1_000_000) - _SETTLED
    archive = None
    if policy.is_archived:
        archive = _archive_day(day, through)
        if archive is None:
            return False
        through = archive.through or through
        outcome.archives.append(archive.name)
    next_ms: int | None = day.start_ms
    while next_ms is not None:
        next_ms = delete_some(day, next_ms, through)
    if archive is not None:
        Archive.objects.filter(pk=archive.pk).update(dropped_at=Now())
    left = oldest_day(day.instrument)
    return left is None or left.start_ms > day.start_ms


def _archive_day(day: TradeDay, through: datetime) -> Archive | None:
    """Write a day's trades into a file; what an earlier run wrote is only to be deleted still.

    None when all of them came too lately to be sure of.
    """
    instrument, date = day.instrument, from_ms(day.start_ms).date()
    known = Archive.objects.filter(
        what=TRADES, instrument=instrument, day=date, dropped_at=None
    ).first()
    if known is not None:
        return known
    with connection.cursor() as cursor:
        rows = count_received(cursor, day, through)
    if not rows:
        return None
    name = f"trades/{instrument.exchange}/{instrument.symbol}/{date:%Y/%m}/{date}.csv.gz"
    content = write_archive(name, archive_query(day, through), rows)
    return Archive.objects.create(
        what=TRADES,
        instrument=instrument,
        day=date,
        name=content.name,
        rows=content.rows,
        bytes=content.bytes,
        sha256=content.sha256,
        through=through,
    )
