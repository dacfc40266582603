"""What strategies are asked for single bots before rows are taken.

An answer may take longer than the database lets a transaction rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from django.db import InterfaceError, OperationalError

from bots.domain.lifecycle import State
from bots.domain.running import RunSettings
from bots.manager.advancing import Advance
from bots.manager.chunks import Done
from bots.manager.failing import fail_bots
from bots.manager.groups import Failure, recall
from bots.manager.starting import ask_warmup
from bots.models import Bot
from bots.storage.rows import AliveBot


def ask_for_bots(
    advance: Advance, bots: Sequence[AliveBot], runs: dict[int, RunSettings], done: Done
) -> None:
    """Have said what is not known yet and bots need: old decisions, and how their next runs begin.

    Bots whose strategy cannot say it are put in error; those on their way out go on without.
    """
    lagging = [one for one in bots if advance.lags(one, runs[one.run_id])]
    lost = advance.groups.lost
    wanted = {runs[one.run_id].group for one in lagging} - lost.keys()
    recall(advance.view, advance.groups, wanted)
    for key, failure in lost.items():
        fail([one for one in lagging if runs[one.run_id].group == key], failure, done)
    followed = [one for one in bots if advance.is_followed(one, runs[one.run_id])]
    advance.ready |= {row.pk: row.version for row in asked_to_begin(followed, done)}


def asked_to_begin(bots: Sequence[AliveBot], done: Done) -> list[Bot]:
    """Return those of the bots whose strategy has said how a run by it begins."""
    if not bots:
        return []
    rows = Bot.objects.select_related("config").in_bulk([one.id for one in bots])
    return [rows[one.id] for one in bots if tried(one, done, ask_warmup, rows[one.id])]


def tried(bot: AliveBot, done: Done, act: Callable[..., bool], *given: object) -> bool:
    """Return what a part of a run's beginning returns; a bot of which it fails is put in error."""
    try:
        return act(*given)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # On its way out it is asked only where it cannot leave without.
        fail([bot], Failure.of(error), done, is_its_own=bot.state == State.STOPPING)
        return False


def fail(
    bots: Iterable[AliveBot], failure: Failure, done: Done, *, is_its_own: bool = False
) -> None:
    """Put bots in error with what happened, and note it; see `fail_bots`."""
    owners = {one.id: one.owner_id for one in bots}
    ids = fail_bots(list(owners), failure, is_its_own=is_its_own)
    done.failed += ids
    done.moved |= {bot_id: owners[bot_id] for bot_id in ids}
