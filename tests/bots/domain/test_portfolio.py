"""The virtual account: sums that are balances, whatever is traded."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bots.domain.portfolio import (
    CASH,
    POSITION,
    Traded,
    VirtualPortfolio,
    deposit_entries,
    postings_of,
)

fills = st.lists(
    st.builds(
        Traded, st.integers(-50, 50).filter(bool), st.integers(1, 10_000), st.integers(0, 999)
    ),
    max_size=40,
)


def test_buying_in_two_parts_and_selling_one():
    account = VirtualPortfolio.opened(1000, 2)
    account = account.filled(Traded(3, 10, 1)).filled(Traded(1, 14, 1))
    assert (account.cash, account.lots, account.cost) == (1000 - 60 - 28 - 2, 4, 88)
    assert account.average_tick == 11
    account = account.filled(Traded(-2, 15, 1))
    assert (account.realised, account.cost, account.lots) == (2 * 15 * 2 - 44, 44, 2)
    assert (account.unrealised(20), account.equity(20)) == (80 - 44, account.cash + 80)


def test_a_short_earns_when_the_price_falls():
    account = VirtualPortfolio.opened(1000, 1).filled(Traded(-10, 50, 0))
    assert (account.cash, account.cost, account.average_tick) == (1500, -500, 50)
    assert account.unrealised(40) == 100
    account = account.filled(Traded(10, 40, 0))
    assert (account.cash, account.realised, account.cost) == (1100, 100, 0)
    assert account.average_tick is None


def test_a_fill_that_turns_the_position_closes_it_and_opens_another():
    account = VirtualPortfolio.opened(0, 1).filled(Traded(5, 10, 0)).filled(Traded(-8, 12, 0))
    assert (account.lots, account.realised, account.cost) == (-3, 10, -36)


@given(fills, st.integers(1, 9), st.integers(0, 10**6), st.integers(1, 10_000))
def test_equity_is_capital_and_profits_less_fees_to_the_unit(trades, unit, capital, tick):
    account = VirtualPortfolio.opened(capital, unit)
    for traded in trades:
        account = account.filled(traded)
        assert (account.cost == 0) if account.lots == 0 else account.cost * account.lots >= 0
    assert account.equity(tick) == (
        capital + account.realised + account.unrealised(tick) - account.fees
    )


@given(fills, st.integers(1, 9), st.integers(1, 10**6))
def test_every_posting_balances_and_sums_of_entries_are_balances(trades, unit, capital):
    account = VirtualPortfolio.opened(capital, unit)
    balances: Counter[tuple[str, bool]] = Counter()
    for entries in (deposit_entries(capital), *(postings_of(one, unit) for one in trades)):
        for in_lots in (False, True):
            assert sum(one.amount for one in entries if one.is_lots == in_lots) == 0
        assert all(one.amount for one in entries)
        for one in entries:
            balances[one.account, one.is_lots] += one.amount
    for traded in trades:
        account = account.filled(traded)
    assert balances[CASH, False] == account.cash
    assert balances[POSITION, True] == account.lots
