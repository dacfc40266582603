"""The table of states, and what a new run begins with."""

from __future__ import annotations

import pytest

from backtests.domain.records import Reason, new_state
from bots.domain.accounts import carried
from bots.domain.lifecycle import TRANSITIONS, State, TransitionRefused, check_transition


def test_every_state_can_be_left_and_none_leads_to_itself():
    assert set(TRANSITIONS) == set(State)
    for before, after in TRANSITIONS.items():
        assert after
        assert before not in after


def test_every_state_is_reached_from_created():
    reached, todo = {State.CREATED}, [State.CREATED]
    while todo:
        new = TRANSITIONS[todo.pop()] - reached
        reached |= new
        todo += new
    assert reached == set(State)


def test_only_what_the_table_allows_is_done():
    check_transition("stopped", "starting")
    with pytest.raises(TransitionRefused, match="a bot that is stopped cannot become running"):
        check_transition("stopped", "running")


def test_a_run_begins_with_the_account_of_the_last_one_and_nothing_asked_for():
    last = new_state(1000)
    last["lots"], last["target"], last["is_paused"] = 3, 1_000_000, 1
    last["order"], last["order_reason"], last["order_ms"] = 5, Reason.TARGET, 9
    after = carried(last, is_new_start=False)[0]
    assert (after["cash"], after["lots"], after["is_paused"]) == (1000, 3, 1)
    assert (after["target"], after["order"], after["order_reason"]) == (0, 0, Reason.NONE)
    assert last["target"][0] == 1_000_000


def test_who_starts_a_halted_bot_again_begins_with_the_equity_it_has():
    last = new_state(1000)
    last["is_halted"], last["equity"], last["peak"], last["is_paused"] = 1, 700, 1000, 1
    after = carried(last, is_new_start=True)[0]
    assert (after["is_halted"], after["is_paused"], after["peak"]) == (0, 0, 700)
    assert carried(last, is_new_start=False)[0]["is_halted"] == 1
