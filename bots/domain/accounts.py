"""With what record of the kernel a run begins."""

from __future__ import annotations

from backtests.domain.records import Reason, States


def started_again(last: States) -> States:
    """Return the record with which a person starts a bot again: its account, nothing asked for.

    The person has seen why it was stopped: it is neither paused nor halted, and its limits count
    from the equity that it has now.
    """
    state = last.copy()
    state["order_reason"] = Reason.NONE
    state["order"] = state["order_ms"] = state["target"] = state["is_paused"] = 0
    if state["is_halted"][0]:
        state["is_halted"] = state["is_day_blocked"] = 0
        state["peak"] = state["day_equity"] = state["equity"]
    return state


def gone_on(last: States, *, is_edited: bool) -> States:
    """Return the record with which another run goes on where one ended: also with what waits.

    What was decided, or ordered by a limit, at the last close is filled at the next open all the
    same: a position that is to be left is not kept for one more candle. By edited settings
    nothing was wanted yet but that.
    """
    state = last.copy()
    if is_edited:
        waits = state["order_reason"][0] == Reason.TARGET
        state["target"] = state["order"] if waits else 0
    return state
