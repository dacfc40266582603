"""Bots stepped some hundred at a time: each chunk one transaction, tried again bot by bot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, transaction

from bots.domain.running import Outcome, TakenBot
from bots.domain.warming import warm_kernels
from bots.manager.advancing import Advance
from bots.manager.ending import settle
from bots.manager.failing import fail_bots
from bots.manager.groups import Failure
from bots.recorder import StaleCursor, record
from bots.storage.rows import orders_given, take_bots
from bots.storage.runs import run_settings

CHUNK: Final = 300
MOST_AT_ONCE: Final = 10_000
"""Minutes, of all bots together, that are done in one transaction.

What is computed between two of its statements stays far below the time after which the database
ends a transaction that nobody goes on with, on a busy machine as well.
"""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Done:
    """What a step did: bots that moved, by their owner; runs that ended; bots that failed."""

    moved: dict[int, int] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    is_more: bool = False


def step_bots(advance: Advance, ids: Sequence[int], done: Done) -> None:
    """Step bots in chunks; one that fails alone is put in error and delays no other.

    Raises what the database itself cannot do: then nobody is to blame, and the sweep tries again.
    """
    _load_kernels()
    for chunk in _chunks(ids):
        try:
            _step_through(advance, chunk, done)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("chunk_failed", bots=len(chunk))
            for bot_id in chunk:
                _step_alone(advance, bot_id, done)


@cache
def _load_kernels() -> None:
    """Load the compiled code, or compile it: for seconds in which no transaction may wait."""
    warm_kernels()


def _step_alone(advance: Advance, bot_id: int, done: Done) -> None:
    try:
        _step_through(advance, [bot_id], done)
    except (OperationalError, InterfaceError):
        raise
    except StaleCursor:
        log.warning("bot_was_moved", bot=bot_id)
    except Exception as error:
        done.failed += fail_bots([bot_id], Failure.of(error), is_its_own=True)


def _step_through(advance: Advance, ids: Sequence[int], done: Done) -> None:
    """Do all that is due to bots; what lags far takes several transactions."""
    while ids:
        ids = _step(advance, ids, done)


def _step(advance: Advance, ids: Sequence[int], done: Done) -> list[int]:
    """Take those of the bots that nobody else has, and do what is due to them.

    Returns those to which more is due than is done at once.
    """
    with transaction.atomic():
        bots = take_bots(ids)
        outcomes, left = _outcomes(advance, bots)
        if outcomes:
            record(outcomes)
        ended = settle(outcomes)
    done.moved |= {one.bot.id: one.bot.owner_id for one in outcomes}
    done.ended += ended
    return left


def _outcomes(advance: Advance, bots: Sequence[TakenBot]) -> tuple[list[Outcome], list[int]]:
    """Return what bots do, and which of them have more to do."""
    runs = run_settings(bot.run_id for bot in bots)
    orders = orders_given([bot.id for bot in bots])
    outcomes, left, room = list[Outcome](), list[int](), MOST_AT_ONCE
    for bot in bots:
        run = runs[bot.run_id]
        # What was read of the minutes begins later than where this one stands by now.
        is_before = bot.place.minute_ms < advance.line.start_ms
        given = orders.get(bot.id, [])
        if is_before or not advance.knows(bot, run, given):
            continue
        outcome = advance.outcome(bot, run, given, room) if room else None
        if outcome is not None:
            outcomes.append(outcome)
            room -= outcome.minutes
        if not room:
            left.append(bot.id)
    return outcomes, left


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
