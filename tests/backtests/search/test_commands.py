"""`manage.py search_parameters`: what it takes and prints."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from backtests.models import Search

pytestmark = pytest.mark.usefixtures("btc")

ASKED = [
    *("--strategy", "ema_crossover", "--space", "fast=3:6", "--space", "slow=9,12"),
    *("--symbol", "BTC-USDT", "--timeframe", "5m", "--objective", "total_return"),
    *("--start", "2025-11-22T06:00:00Z", "--end", "2025-11-24T00:00:00Z"),
]


def test_the_best_are_printed_with_what_they_were_worth_out_of_sample(capsys):
    call_command("search_parameters", *ASKED, "--holdout", "0.4")
    told = capsys.readouterr().out
    assert "8 of 8 trials" in told
    assert told.count("out of sample") == 8
    assert f"search {Search.objects.get().pk}: 8 trials" in told


def test_programs_get_the_summary(capsys):
    call_command("search_parameters", *ASKED, "--json")
    told = json.loads(capsys.readouterr().out)
    search = Search.objects.get()
    assert told == {"id": search.pk, **search.summary}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--space", "fast"], "NAME=VALUE"),
        (["--space", "sides=1:2:3:4"], "MIN:MAX:STEP"),
        (["--space", "upward=1:2"], "no such parameter"),
        (["--walk-forward", "rolling"], "train_days"),
        (["--walk-forward", "rolling", "--holdout", "0.2"], "not both"),
        (["--count", "5"], "every combination"),
        (["--method", "magic"], "grid, random, optuna"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(more, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("search_parameters", *ASKED, *more)
    assert not Search.objects.exists()
