"""Limits over several accounts, with figures that can be added in the head."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bots.domain.risk import Account, Limits, breaches, raised_peaks, totals

TODAY = 20_000


def account(equity, *, capital=1000, day_equity=1000, exposure=0, day=TODAY, **values):
    money = (Decimal(one) for one in (capital, equity, day_equity, exposure))
    capital, equity, day_equity, exposure = money
    return Account("USDT", capital, equity, day, day_equity, exposure, **values)


def judged(accounts, *, peaks=None, **limits):
    found = totals(accounts, TODAY)
    allowed = Limits(**{name: Decimal(value) for name, value in limits.items()})
    return breaches(found, raised_peaks(found, peaks or {}), allowed)


def test_gains_of_one_bot_make_up_for_losses_of_another():
    assert judged([account(900), account(1101)], max_daily_loss="0.01") == []


def test_a_daily_loss_is_reached_at_its_share_of_the_days_first_equity():
    assert judged([account(901), account(1000)], max_daily_loss="0.05") == []
    (breach,) = judged([account(900), account(1000)], max_daily_loss="0.05")
    assert (breach.limit, breach.quote, breach.share) == ("max_daily_loss", "USDT", Decimal("0.05"))
    assert breach.numbers == {"day_equity": 2000, "equity": 1900, "loss": 100}


def test_what_was_lost_yesterday_is_not_lost_today():
    assert judged([account(500, day=TODAY - 1)], max_daily_loss="0.01") == []


def test_a_drawdown_is_measured_from_the_best_profit_of_all_together():
    accounts = [account(1100), account(1000)]
    peaks = {"USDT": Decimal(400)}
    # 2,400 at best, 2,100 now: an eighth.
    (breach,) = judged(accounts, peaks=peaks, max_drawdown="0.125")
    assert breach.share == Decimal("0.125")
    assert breach.numbers["highest_equity"] == 2400
    assert breach.numbers["equity"] == 2100
    assert judged(accounts, peaks=peaks, max_drawdown="0.126") == []


def test_a_new_bot_is_neither_a_gain_nor_the_end_of_a_drawdown():
    peaks = {"USDT": Decimal(0)}
    before = judged([account(900)], peaks=peaks, max_drawdown="0.1")
    found = totals([account(900), account(1000)], TODAY)
    assert raised_peaks(found, peaks) == peaks
    assert before[0].numbers["loss"] == found["USDT"].capital - found["USDT"].equity == 100


def test_a_loss_does_not_go_with_the_bot_that_made_it():
    deleted = account(500, is_deleted=True)
    (breach,) = judged([deleted, account(1000)], max_drawdown="0.5")
    assert breach.numbers["loss"] == 500
    assert judged([deleted, account(1000)], max_exposure="0.1", max_daily_loss="0.1") == []


def test_the_peak_begins_at_no_profit_and_only_rises():
    assert raised_peaks(totals([account(900)], TODAY), {}) == {"USDT": 0}
    assert raised_peaks(totals([account(1200)], TODAY), {"USDT": Decimal(50)}) == {"USDT": 200}
    lifted = raised_peaks(totals([account(900)], TODAY), {"USDT": Decimal(-100)})
    assert lifted == {"USDT": -100}, "after a person lifted a drawdown"


def test_exposure_counts_both_sides_against_the_equity():
    accounts = [account(1000, exposure=600), account(1000, exposure=400)]
    (breach,) = judged(accounts, max_exposure="0.5")
    assert breach.numbers == {"exposure": 1000, "equity": 2000}
    assert judged(accounts, max_exposure="0.51") == []


def test_each_quote_currency_is_judged_by_itself():
    euros = Account("EUR", *(Decimal(n) for n in (100, 80)), TODAY, Decimal(100), Decimal(0))
    (breach,) = judged([account(1000), euros], max_daily_loss="0.1")
    assert (breach.quote, breach.numbers["loss"]) == ("EUR", 20)


@pytest.mark.parametrize("equity", [0, -50])
def test_an_account_that_lost_everything_is_beyond_every_limit(equity):
    reached = judged(
        [account(equity, exposure=10)],
        max_daily_loss="1",
        max_drawdown="1",
        max_exposure="5",
    )
    assert [one.limit for one in reached] == ["max_daily_loss", "max_drawdown", "max_exposure"]


def test_without_limits_and_without_losses_nothing_is_reached():
    assert judged([account(0)]) == []
    assert judged([account(2000)], max_daily_loss="0.001", max_drawdown="0.001") == []
    assert judged([], max_daily_loss="0.1") == []
