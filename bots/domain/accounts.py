"""With what record of the kernel a run begins."""

from __future__ import annotations

from backtests.domain.records import Reason, States


def carried(last: States, *, is_new_start: bool) -> States:
    """Return the record that follows the end of a run: the same account, nothing asked for yet.

    With `is_new_start` a person starts the bot again, who has seen why it was stopped: it is
    neither paused nor halted, and its limits count from the equity that it has now.
    """
    state = last.copy()
    state["order_reason"] = Reason.NONE
    state["order"] = state["order_ms"] = state["target"] = 0
    if is_new_start:
        state["is_paused"] = 0
        if state["is_halted"][0]:
            state["is_halted"] = state["is_day_blocked"] = 0
            state["peak"] = state["day_equity"] = state["equity"]
    return state
