"""Holding what was recorded against a replay: the first place where they are not the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from backtests.domain.records import STATE, Kind, States
from backtests.domain.roundtrips import fills_of
from bots.domain.parity.replay import Decision, Replayed


class Booked(NamedTuple):
    """A fill in whole numbers: ticks, lots and cash units; see EVENT."""

    time_ms: int
    reason: int
    lots: int
    tick: int
    fee: int
    slippage: int
    cash: int
    position: int


class Dropped(NamedTuple):
    """An order that came to nothing, or to half of what it was for, and why."""

    time_ms: int
    kind: int
    reason: int


class Worth(NamedTuple):
    """What the account was worth at a close, in cash units."""

    close_ms: int
    equity: int


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What a run left behind. `last` is its record of the kernel; None where it is not known."""

    decisions: Sequence[Decision]
    fills: Sequence[Booked]
    dropped: Sequence[Dropped]
    worths: Sequence[Worth]
    last: States | None


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first thing that is not the same, with both sides' numbers; None for what is not there.

    `what` is signal, fill, order, equity or account.
    """

    time_ms: int
    what: str
    recorded: Mapping[str, Any] | None
    replayed: Mapping[str, Any] | None


def first_divergence(
    recorded: Recorded, replayed: Replayed, *, trades_only: bool = False
) -> Divergence | None:
    """Return the first difference in time; None when both are the same.

    With `trades_only` what the account was worth in between does not matter.
    """
    found = [
        _first("signal", recorded.decisions, replayed.decisions),
        _first("fill", recorded.fills, booked(replayed)),
    ]
    if not trades_only:
        found.append(_first("order", sorted(recorded.dropped), sorted(dropped(replayed))))
        found.append(_first_worth(recorded.worths, replayed))
        found.append(_account(recorded.last, replayed))
    # Of two at the same time the decision comes before what follows from it.
    return min((one for one in found if one), key=lambda one: one.time_ms, default=None)


def booked(replayed: Replayed) -> list[Booked]:
    """Return the fills of a replay."""
    fills = fills_of(replayed.events)
    return [Booked(*row) for row in fills[list(Booked._fields)].tolist()]


def dropped(replayed: Replayed) -> list[Dropped]:
    """Return what became of the orders of a replay that were not simply filled."""
    events = replayed.events
    ended = events[(events["kind"] == Kind.SKIPPED) | (events["kind"] == Kind.CANCELLED)]
    return [Dropped(*row) for row in ended[list(Dropped._fields)].tolist()]


def _first(what: str, ours: Sequence[Any], theirs: Sequence[Any]) -> Divergence | None:
    for one, other in zip_longest(ours, theirs):
        if one != other:
            time_ms = min(row[0] for row in (one, other) if row is not None)
            return Divergence(time_ms, what, *_at(time_ms, one, other))
    return None


def _at(time_ms: int, *rows: Any) -> Iterator[dict[str, Any] | None]:
    """Yield the rows of that time; a later one is not what is missing there."""
    for row in rows:
        yield None if row is None or row[0] != time_ms else row._asdict()


def _first_worth(worths: Iterable[Worth], replayed: Replayed) -> Divergence | None:
    """Return the first recorded equity that the replay does not have; thinned ones are fewer."""
    known = dict(zip(replayed.close_times.tolist(), replayed.equity.tolist(), strict=True))
    for worth in worths:
        equity = known.get(worth.close_ms)
        if equity != worth.equity:
            other = None if equity is None else Worth(worth.close_ms, equity)._asdict()
            return Divergence(worth.close_ms, "equity", worth._asdict(), other)
    return None


def _account(last: States | None, replayed: Replayed) -> Divergence | None:
    """Return how the records of the kernel differ at the end."""
    if last is None or last.tobytes() == replayed.last.tobytes():
        return None
    names = [name for name in STATE.names or () if last[name][0] != replayed.last[name][0]]
    ours, theirs = ({name: int(side[name][0]) for name in names} for side in (last, replayed.last))
    closes = replayed.close_times
    return Divergence(int(closes[-1]) if len(closes) else 0, "account", ours, theirs)


def is_same_place(one: Divergence | None, other: Divergence | None) -> bool:
    """Return whether two comparisons part from what was recorded at the same place."""
    if one is None or other is None:
        return one is other
    return (one.time_ms, one.what) == (other.time_ms, other.what)
