"""What keeps a bot, told from what is seen of its next minute."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.domain.liveness import Budget, Patience, Sight, Trouble

PATIENCE = Patience(stalled_s=20, gap_s=30, silent_s=110)


@pytest.mark.parametrize(
    ("is_stored", "has_later", "standing_s", "is_stale", "trouble"),
    [
        (True, False, 20, False, Trouble.NONE),
        (True, False, 21, False, Trouble.WORKER_DEAD),
        # What is due is due, whatever the feed does.
        (True, True, 21, True, Trouble.WORKER_DEAD),
        (False, True, 30, False, Trouble.NONE),
        (False, True, 31, True, Trouble.DATA_GAP),
        (False, False, 61, False, Trouble.NONE),
        (False, False, 1, True, Trouble.FEED_STALE),
        (False, False, 111, False, Trouble.FEED_STALE),
    ],
)
def test_each_cause_has_its_name(is_stored, has_later, standing_s, is_stale, trouble):
    sight = Sight(is_stored, has_later, standing_s, is_feed_stale=is_stale)
    assert sight.trouble(PATIENCE) == trouble


def test_at_the_end_of_stored_candles_nothing_is_wrong():
    assert Sight(False, False, 10_000, is_live=False).trouble(PATIENCE) == Trouble.NONE


def test_pauses_double_and_the_budget_ends():
    budget = Budget(restarts=3, first_pause_s=30)
    assert [budget.pause(n) for n in range(3)] == [timedelta(seconds=s) for s in (30, 60, 120)]
    assert [budget.is_used_up(n) for n in (0, 2, 3, 4)] == [False, False, True, True]
