"""The trailing stop that is told again is the one that the execution kernel had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.kernels.execution import close_minute, open_minute
from backtests.domain.records import PPM, new_events, new_state
from bots.domain.trailing import trailing_levels
from tests.backtests.domain.kernel import MINUTE, PLAIN, SWAP


def lived(prices, targets, shares, *, is_long=True):
    """Return the ticks of the first fill and of all on average, and the kernel's stops.

    Those are the ones at the entry and at each close.

    Each minute has one price. The position is opened in minute 1, what `targets` of the minute
    before says, in parts of a position.
    """
    state, events, levels, entry = new_state(1_000_000_000), new_events(64), [], 0
    rules = (PLAIN if is_long else SWAP)._replace(slippage=5_000, minimum_lots=1)
    for number, (price, target, share) in enumerate(zip(prices, targets, shares, strict=True)):
        now, time_ms = rules._replace(trailing_stop=share), number * MINUTE
        open_minute(state[0], now, time_ms, price, events, 0)
        if number == 1:
            entry = int(state["entry_tick"][0])
            levels.append(int(state["trail"][0]))
        wanted = round(target * PPM) * (1 if is_long else -1)
        close_minute(
            *(state[0], now, time_ms, True, price, price, price, price, wanted, True, events, 0)
        )
        if number:
            levels.append(int(state["trail"][0]))
    assert state["lots"][0]
    return entry, int(state["entry_tick"][0]), levels


@pytest.mark.parametrize("is_long", [True, False])
def test_a_position_that_was_enlarged_has_the_stop_of_its_first_fill(is_long):
    prices = [10_000, 10_000, 10_001, 10_050, 9_950, 10_003]
    targets, shares = [0.25, 0.25, 0.5, 1, 1, 1], [33_333] * 6
    entry, average, levels = lived(prices, targets, shares, is_long=is_long)
    told = trailing_levels(entry, np.array(prices[1:]), np.array(shares), is_long=is_long)
    assert told.tolist() == levels
    # 10,050 and 9,950 with slippage, and 33,333 millionths of that away, rounded up.
    assert set(levels) == ({9_715} if is_long else {10_282})
    assert average != entry


@given(
    prices=st.lists(st.integers(9_000, 11_000), min_size=3, max_size=12),
    shares=st.data(),
    is_long=st.booleans(),
)
@settings(max_examples=60)
def test_whatever_the_price_and_edits_do_it_is_the_kernels(prices, shares, is_long):
    chosen = shares.draw(
        st.lists(st.sampled_from([0, 250_000, 300_001]), min_size=len(prices), max_size=len(prices))
    )
    entry, _, levels = lived(prices, [0.5] * len(prices), chosen, is_long=is_long)
    told = trailing_levels(
        entry, np.array(prices[1:]), np.array([chosen[1], *chosen[1:]]), is_long=is_long
    )
    assert told.tolist() == levels
