"""The table of states, and what a new run begins with."""

from __future__ import annotations

import pytest

from backtests.domain.records import Reason, new_state
from bots.domain.accounts import gone_on, started_again
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


def one_that_waits(order=0, reason=Reason.TARGET):
    last = new_state(1000)
    last["lots"], last["target"], last["is_paused"] = 3, 1_000_000, 1
    last["order"], last["order_reason"], last["order_ms"] = order, reason, 9
    return last


def test_who_starts_a_bot_again_has_its_account_and_asked_for_nothing_yet():
    last = one_that_waits()
    after = started_again(last)[0]
    assert (after["cash"], after["lots"], after["is_paused"]) == (1000, 3, 0)
    assert (after["target"], after["order_ms"], after["order_reason"]) == (0, 0, Reason.NONE)
    assert last["target"][0] == 1_000_000


def test_a_run_that_goes_on_by_other_code_wants_and_awaits_what_the_last_one_did():
    last = one_that_waits()
    assert gone_on(last, is_edited=False).tobytes() == last.tobytes()


@pytest.mark.parametrize(
    ("order", "reason", "target"),
    [
        (0, Reason.TARGET, 0),
        (500_000, Reason.TARGET, 500_000),
        (0, Reason.TIME_STOP, 0),
        (0, Reason.NONE, 0),
    ],
)
def test_by_edited_settings_nothing_is_wanted_yet_but_what_waits(order, reason, target):
    after = gone_on(one_that_waits(order, reason), is_edited=True)[0]
    assert (after["lots"], after["is_paused"]) == (3, 1)
    assert (after["order"], after["order_reason"], after["order_ms"]) == (order, reason, 9)
    assert after["target"] == target


def test_who_starts_a_halted_bot_again_begins_with_the_equity_it_has():
    last = new_state(1000)
    last["is_halted"], last["equity"], last["peak"], last["is_paused"] = 1, 700, 1000, 1
    after = started_again(last)[0]
    assert (after["is_halted"], after["is_paused"], after["peak"]) == (0, 0, 700)
    assert gone_on(last, is_edited=True)[0]["is_halted"] == 1
