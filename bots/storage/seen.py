"""How the candles that a run's strategy decided by saw the minutes they were made of."""

from __future__ import annotations

from bots.domain.grouping import Seen
from bots.models import BotRun, GroupState
from bots.storage.runs import group_of


def candles_seen(run: BotRun) -> Seen:
    """Return the minutes since the run's anchor that were not seen in their first revision.

    Each is [first open time in ms, minutes, revision]; a revision of -1 was missing. While the run
    is open its group knows; later minutes of it were not decided on yet.
    """
    if run.end is not None:
        stored: Seen = run.candles_seen
        return stored
    group = GroupState.objects.filter(key=group_of(run).digest).values_list("seen", flat=True)
    found: Seen = group.first() or []
    return found
