"""How one channel of one instrument is, in one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ChannelState(StrEnum):
    """From the best to the worst.

    Silent is a quiet market: nothing says that the channel should speak. Stale is an instrument
    of which the exchange has told nothing for too long of its own time.
    """

    LIVE = "live"
    SILENT = "silent"
    CONNECTING = "connecting"
    REPAIRING = "repairing"
    STALE = "stale"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What is known of a channel.

    `verdicts` counts how often it was found dead since it last spoke; `age_s` is wall time since
    then, None where it is not watched. `is_repairing`: trades it missed are being fetched.
    """

    is_subscribed: bool
    is_refused: bool = False
    is_stale: bool = False
    is_repairing: bool = False
    verdicts: int = 0
    age_s: float | None = None
    silence_s: float = float("inf")


def channel_state(facts: ChannelFacts) -> ChannelState:
    """Return the state that a person should be shown."""
    # After the first verdict it is subscribed anew, after the second its socket is replaced.
    if facts.is_refused or facts.verdicts > 2:
        return ChannelState.FAILED
    if facts.is_stale:
        return ChannelState.STALE
    if not facts.is_subscribed:
        return ChannelState.CONNECTING
    if facts.verdicts or facts.is_repairing:
        return ChannelState.REPAIRING
    if facts.age_s is not None and facts.age_s >= facts.silence_s:
        return ChannelState.SILENT
    return ChannelState.LIVE


def worst(states: Iterable[ChannelState]) -> ChannelState:
    """Return the state of a whole whose parts have `states`; connecting when it has none."""
    order = list(ChannelState)
    return max(states, key=order.index, default=ChannelState.CONNECTING)
