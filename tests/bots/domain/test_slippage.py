"""What the book asked for at decisions, as a distribution beside the model."""

from __future__ import annotations

import pytest

from bots.domain.parity.slippage import Quote, slippage_observed


def test_a_purchase_costs_what_the_ask_is_above_the_close_and_a_sale_what_the_bid_is_below():
    quotes = [Quote(999.0, 1001.0, 1000.0, is_buy=True), Quote(997.0, 1001.0, 1000.0, is_buy=False)]

    found = slippage_observed(quotes, 20.0)

    assert found["decisions"] == 2
    assert found["percentiles_bps"]["0"] == 10.0
    assert found["percentiles_bps"]["100"] == 30.0
    assert found["mean_bps"] == 20.0
    assert found["worse_than_model"] == 1
    assert found["median_spread_bps"] == pytest.approx(30.02, abs=0.01)


def test_a_book_that_was_better_than_the_close_counts_below_zero():
    found = slippage_observed([Quote(999.0, 999.5, 1000.0, is_buy=True)], 5.0)

    assert found["mean_bps"] == -5.0
    assert found["worse_than_model"] == 0


def test_every_decision_is_in_one_bin():
    quotes = [Quote(1000.0 - cost, 1000.0, 1000.0, is_buy=False) for cost in range(-2, 10)]

    bins = slippage_observed(quotes, 5.0)["bins"]

    assert sum(count for _, _, count in bins) == len(quotes)
    assert bins[0][0] is None
    assert bins[-1][1] is None
    assert [low for low, _, _ in bins[1:]] == [high for _, high, _ in bins[:-1]]


def test_without_a_quote_there_is_nothing_to_tell():
    assert slippage_observed([], 5.0) == {}
