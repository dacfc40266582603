"""The states of a bot, and from which to which it may go."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a bot is in its life."""

    CREATED = "created"
    STARTING = "starting"
    """The next step opens a run, or goes on with the one that an error left open."""
    RUNNING = "running"
    PAUSED = "paused"
    """Nothing is entered; stops and exits work on."""
    HALTED = "halted"
    """A limit or an order ended its run; a person starts it again."""
    STOPPING = "stopping"
    """Its run ends as soon as no order to close the position waits any more."""
    STOPPED = "stopped"
    ERROR = "error"
    """It cannot go on; its run is open, and starting it again goes on from its cursor."""


TRANSITIONS: Final = {
    State.CREATED: {State.STARTING},
    State.STARTING: {
        State.RUNNING,
        State.STOPPING,
        State.STOPPED,
        State.HALTED,
        State.ERROR,
    },
    State.RUNNING: {State.PAUSED, State.HALTED, State.STOPPING, State.ERROR},
    State.PAUSED: {State.RUNNING, State.HALTED, State.STOPPING, State.ERROR},
    State.STOPPING: {State.STOPPED, State.HALTED, State.ERROR},
    State.HALTED: {State.STARTING},
    State.STOPPED: {State.STARTING},
    State.ERROR: {State.STARTING, State.STOPPING, State.STOPPED},
}
"""To which states a bot may go from each."""


class TransitionRefused(Exception):
    """A bot may not go from the state it is in to the one that was asked for."""

    def __init__(self, before: str, after: str) -> None:
        self.before, self.after = before, after
        allowed = ", ".join(sorted(TRANSITIONS[State(before)]))
        super().__init__(f"a bot that is {before} cannot become {after}, only {allowed}")


def check_transition(before: str, after: str) -> None:
    """Raise TransitionRefused when the table forbids it."""
    if State(after) not in TRANSITIONS[State(before)]:
        raise TransitionRefused(before, after)
