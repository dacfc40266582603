"""Where groups of bots stand: read by their keys, moved by their cursors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import JSONField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from bots.domain.grouping import Decided, GroupKey, Seen
from bots.models import BotRun, GroupState
from bots.storage.runs import group_of
from marketdata.models import from_ms, to_ms

# A group that somebody else moved meanwhile is not among what this returns. Of what was seen only
# the end is written, which may be the longer form of what was the end: it grows for ever.
_MOVE: Final = """
update bots_groupstate as stored
set cursor = given.after, state = given.state::jsonb, recent = given.recent::jsonb,
    seen = case when given.seen is null then stored.seen
        else (stored.seen - (-1)) || given.seen::jsonb end,
    used_at = now()
from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
    as given (id, before, after, state, recent, seen)
where stored.id = given.id and stored.cursor is not distinct from given.before
returning stored.id
"""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where a group stands.

    It has decided on every candle that closed by `cursor_ms`; `state` is its strategy's, empty
    before the first candle and for one that has none. `seen_end` is the end of what `read_seen`
    returns: the last stretch of it that is stored, and what came since.
    """

    id: int
    key: GroupKey
    cursor_ms: int
    is_begun: bool
    state: dict[str, Any]
    decided: Decided
    seen_end: Seen


def read_groups(keys: Iterable[GroupKey]) -> dict[GroupKey, Standing]:
    """Return where groups stand; those that are not there yet are begun at their anchor."""
    wanted = {key.digest: key for key in keys}
    found = _read(wanted)
    missing = [key for key in wanted.values() if key not in found]
    if missing:
        GroupState.objects.bulk_create([_new(key) for key in missing], ignore_conflicts=True)
        found |= _read({key.digest: key for key in missing})
    return found


def read_seen(group_id: int) -> Seen:
    """Return the minutes since its anchor that a group did not see in their first revision."""
    found = GroupState.objects.filter(pk=group_id).values_list("seen", flat=True)
    seen: Seen = found.first() or []
    return seen


def move_groups(moved: Sequence[tuple[Standing, Standing]]) -> set[int]:
    """Store where groups stand now, given as (before, after); return the ids that moved."""
    rows = [
        (
            before.id,
            from_ms(before.cursor_ms) if before.is_begun else None,
            from_ms(after.cursor_ms),
            json.dumps(after.state),
            json.dumps(after.decided.as_json()),
            None if after.seen_end == before.seen_end else json.dumps(after.seen_end),
        )
        for before, after in moved
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MOVE, [list(column) for column in zip(*rows, strict=True)])
        return {group_id for (group_id,) in cursor.fetchall()}


def _read(wanted: dict[str, GroupKey]) -> dict[GroupKey, Standing]:
    rows = GroupState.objects.filter(key__in=list(wanted)).defer("seen")
    last = RawSQL("seen -> -1", (), output_field=JSONField())
    return {
        wanted[row.key]: _standing(row, wanted[row.key]) for row in rows.annotate(last_seen=last)
    }


def _standing(row: Any, key: GroupKey) -> Standing:
    return Standing(
        id=row.pk,
        key=key,
        cursor_ms=key.anchor_ms if row.cursor is None else to_ms(row.cursor),
        is_begun=row.cursor is not None,
        state=row.state,
        decided=Decided.from_json(key.timeframe, row.recent),
        seen_end=[] if row.last_seen is None else [row.last_seen],
    )


def _new(key: GroupKey) -> GroupState:
    return GroupState(
        key=key.digest,
        instrument_id=key.instrument_id,
        timeframe=key.timeframe,
        strategy=key.strategy,
        params=json.loads(key.params),
        source_hash=key.source_hash,
        anchor=from_ms(key.anchor_ms),
    )


def forget_groups(older_than_days: int = 7) -> int:
    """Delete groups that no open run decides by and none has for days; return how many."""
    open_runs = BotRun.objects.filter(end=None).select_related("instrument").defer("source")
    wanted = {group_of(run).digest for run in open_runs}
    unused_since = Now() - timedelta(days=older_than_days)
    deleted, _ = (
        GroupState.objects.filter(used_at__lt=unused_since).exclude(key__in=wanted).delete()
    )
    return deleted
