"""What one attempt to repair a gap came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from marketdata.domain.gaps import Stretch
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import DataGap, from_ms, to_ms
from marketdata.repair.fetching import (
    Work,
    are_ids_skipped,
    fetch_candles,
    fetch_first_id,
    fetch_trades,
    split_trades,
)
from marketdata.repair.idrule import note_found, note_nothing_found
from marketdata.storage.filling import REASON, lacking_minutes, settle_trades
from marketdata.storage.locks import locked_ranges
from marketdata.storage.merged import merged_of
from marketdata.storage.tapes import missing_of
from marketdata.storage.writing import rebuild_windows

UNCOUNTED_MS: Final = 6 * 60 * MINUTE_MS
"""A gap of which the first id is not known is filled by trades up to this length."""

EXHAUSTED_AFTER: Final = timedelta(hours=1)
"""Caches may say for minutes that there are no trades: they are asked again for so long."""


_TOO_OLD: Final = "older than the exchange keeps trades"
_BRIDGED: Final = (
    "its trades are asked for again: until they come its minutes are the exchange's candles"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a gap stands after an attempt.

    `filled_with` says what filled it, empty while something is missing; `reason` is for a person.
    `is_final` means that no later attempt can do better; `is_answered` that the exchange was
    asked and had nothing more; `is_bridged` that candles stand in for trades that may still come.
    """

    filled_with: str = ""
    reason: str = ""
    is_final: bool = False
    is_answered: bool = True
    is_bridged: bool = False


async def attempt(work: Work) -> Verdict:
    """Try to fill the gap and say what came of it.

    Raises OutOfTime when the worker must go on with something else, and what History raises.
    """
    gap, listed = work.gap, work.instrument.listed_at
    if listed is not None and gap.end <= listed:
        when = listed.astimezone(UTC)
        return Verdict(reason=f"the listing began later, {when:%Y-%m-%d %H:%M} UTC", is_final=True)
    if gap.kind == DataGap.Kind.TRADES:
        return await _trades(work)
    if gap.kind == DataGap.Kind.MERGED:
        return await _merged(work)
    if gap.timeframe != Timeframe.M1.minutes:
        return await _higher(work)
    await _settle(work, 0)
    if not await _lacking(work):
        return Verdict(DataGap.Filling.TRADES)
    return await _candles(work, "")


async def _trades(work: Work) -> Verdict:
    """Fetch the trades; where they are not to be had, the candles of their minutes.

    For as long as the exchange should have the trades, candles only stand in for them.
    """
    gap, kept_since_ms = work.gap, work.now_ms - settings.TRADES_KEPT_DAYS * DAY_MS
    is_asked = to_ms(gap.end) >= kept_since_ms and await _fetch(work)
    first_id, last_id = gap.ids
    missing = await work.database.run(_missing, gap)
    is_kept = to_ms(gap.start) >= kept_since_ms
    if is_asked and not gap.attempts and missing == [(first_id, last_id + 1)]:
        await _judge_ids(work)
    if first_id:
        await _settle(work, last_id - first_id + 1)
        if not missing:
            return Verdict(DataGap.Filling.TRADES)
    note = "the exchange has not all of the trades" if is_kept else _TOO_OLD
    verdict = await _candles(work, note)
    if not is_asked or not verdict.filled_with:
        return verdict
    return verdict if _is_exhausted(gap) else Verdict(reason=_BRIDGED, is_bridged=True)


async def _judge_ids(work: Work) -> None:
    """Count the gap, once, among those in a row whose ids the exchange leaves out."""
    if await are_ids_skipped(work):
        await work.database.run(note_nothing_found, work.instrument)


async def _merged(work: Work) -> Verdict:
    """Fetch the single matches in place of the merged rows; nothing stands in for them."""
    is_kept = to_ms(work.gap.end) >= work.now_ms - settings.TRADES_KEPT_DAYS * DAY_MS
    if is_kept:
        await split_trades(work)
        first_id, last_id = work.gap.ids
        await _settle(work, last_id - first_id + 1)
    if not await work.database.run(_still_merged, work.gap):
        return Verdict(DataGap.Filling.TRADES)
    if is_kept:
        return Verdict(reason="the exchange does not tell all of them apart: they stay merged")
    return Verdict(reason=f"{_TOO_OLD}: they stay merged", is_final=True)


async def _fetch(work: Work) -> bool:
    """Fetch what trades the exchange has; False where they cannot be asked for."""
    gap = work.gap
    if not gap.ids[0]:
        if to_ms(gap.end) - to_ms(gap.start) > UNCOUNTED_MS:
            return False
        gap.first_trade_id = await fetch_first_id(work) or 0
        await work.database.run(gap.save, update_fields=["first_trade_id"])
    if gap.ids[0] and await fetch_trades(work):
        await work.database.run(note_found, work.instrument)
    return True


def _is_exhausted(gap: DataGap) -> bool:
    """Whether this attempt is the last one: many were made, and not all in one bad moment."""
    if gap.first_tried_at is None or gap.attempts + 1 < settings.REPAIR_ATTEMPTS:
        return False
    return timezone.now() - gap.first_tried_at > EXHAUSTED_AFTER


async def _candles(work: Work, note: str) -> Verdict:
    await fetch_candles(work)
    lacking = await _lacking(work)
    if not lacking and work.is_closed:
        reason = f"{note}: its minutes are the exchange's candles" if note else ""
        return Verdict(DataGap.Filling.CANDLES, reason)
    if not lacking:
        return Verdict(reason="its last minute is not over yet", is_answered=False)
    return await work.database.run(_nothing_more, work, lacking)


async def _higher(work: Work) -> Verdict:
    timeframe = next(one for one in Timeframe if one.minutes == work.gap.timeframe)
    bounds = to_ms(work.gap.start), to_ms(work.gap.end)
    await work.database.run(rebuild_windows, work.instrument, timeframe, *bounds, REASON)
    return Verdict(DataGap.Filling.CANDLES)


async def _settle(work: Work, ids: int) -> None:
    start_ms, end_ms = to_ms(work.gap.start), to_ms(work.gap.end)
    if work.gap.kind == DataGap.Kind.CANDLES:
        end_ms -= MINUTE_MS
    await work.database.run(settle_trades, work.instrument, start_ms, end_ms, ids, work.now_ms)


async def _lacking(work: Work) -> list[Stretch]:
    return await work.database.run(lacking_minutes, work.instrument, *work.span)


def _nothing_more(work: Work, lacking: list[Stretch]) -> Verdict:
    """Say in a sentence why minutes are still missing."""
    minutes = sum(end - start for start, end in lacking) // MINUTE_MS
    start_ms, end_ms = lacking[0][0], lacking[-1][1]
    if locked_ranges(work.instrument.pk, start_ms, end_ms):
        return Verdict(reason="a person has locked the range: end the lock and try again")
    first = f"{minutes} minutes, the first at {from_ms(start_ms):%Y-%m-%d %H:%M} UTC"
    if work.gap.cause == DataGap.Cause.MAINTENANCE:
        return Verdict(reason=f"maintenance of the exchange, which has nothing of {first}")
    return Verdict(reason=f"the exchange has neither trades nor candles of {first}")


def _still_merged(gap: DataGap) -> list[Stretch]:
    with connection.cursor() as cursor:
        return merged_of(cursor, gap)


def _missing(gap: DataGap) -> list[Stretch]:
    with connection.cursor() as cursor:
        return missing_of(cursor, gap)
