"""Ledger, fills and kernel agree, or what does not agree is told by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from bots.domain.balances import Balances, Books, differences

HELD = Balances(Decimal("900.5"), Decimal("1.25"), Decimal("0.5"))
BOOKS = Books(ledger=HELD, fills=HELD, kernel=HELD)


def test_books_that_agree_differ_in_nothing_however_their_zeros_are_written():
    assert differences(BOOKS) == {}
    padded = Balances(Decimal("900.50000"), Decimal("1.250"), Decimal("0.5"))
    assert differences(replace(BOOKS, fills=padded)) == {}


def test_each_side_of_a_difference_is_told():
    less = replace(HELD, cash=Decimal("900.25"))

    assert differences(replace(BOOKS, kernel=less)) == {
        "cash": {"ledger": "900.5", "fills": "900.5", "kernel": "900.25"}
    }


def test_before_its_first_run_only_the_ledger_and_the_fills_are_there_to_compare():
    assert differences(replace(BOOKS, kernel=None)) == {}
    assert list(differences(Books(HELD, replace(HELD, fees=Decimal(0)), None))) == ["fees"]


def test_fills_that_were_not_posted_and_postings_that_do_not_balance_are_counted():
    assert differences(replace(BOOKS, unposted=2, unbalanced=1)) == {
        "unposted": {"number": "2"},
        "unbalanced": {"number": "1"},
    }
