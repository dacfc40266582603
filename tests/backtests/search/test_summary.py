"""What a search says at its end, computed anew from its trials and from backtests of their own."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client

from backtests.models import Search
from backtests.searching.evaluating import Trials
from marketdata.domain.timeframe import DAY_MS
from strategies.domain.builtin.ema_crossover import EmaCrossover
from tcpdashboard.common.jobs.runner import run_job
from tests.backtests.conftest import wave, with_candles
from tests.backtests.domain.search.test_luck import below, quantile
from tests.backtests.search.conftest import GRID, asked, done
from tests.backtests.search.test_api import GIVEN
from tests.marketdata.api.conftest import START_MS, make_instrument

DAYS = 40


def windings(count):
    """Return candles with a wave that grows longer, so that no two days are alike."""
    candles = wave(count)
    at = np.arange(count)
    prices = np.round(1000 + 40 * np.sin(at / (30 + at / 900)) + 15 * np.sin(at / 700), 1)
    candles["close"] = prices
    candles["open"] = np.append(prices[:1], prices[:-1])
    candles["high"] = np.maximum(candles["open"], candles["close"])
    candles["low"] = np.minimum(candles["open"], candles["close"])
    return candles


@pytest.mark.django_db
def test_the_deflated_ratio_counts_every_trial_and_is_that_of_the_best():
    with_candles(make_instrument("BTC-USDT"), windings(DAYS * 1440))
    span = {"start_ms": START_MS + DAY_MS, "end_ms": START_MS + DAYS * DAY_MS}
    search = done(asked(**span, timeframe="1h", objective="sharpe"))
    told = search.summary["deflated_sharpe"]
    tried = [t.metrics["sharpe"] for t in search.trials.filter(state="done")]
    assert len(tried) == told["trials"] == 10
    best = search.trials.exclude(objective=None).order_by("-objective", "number")[0]
    result = Trials(search).result(best.parameters, (span["start_ms"], span["end_ms"]))
    # Closes at midnight: what the account is worth after each 1,440 minutes.
    worth = [float(result.start_cash), *result.equity[1439::1440].tolist()]
    returns = [new / old - 1 for old, new in itertools.pairwise(worth)]
    count = DAYS - 1
    assert len(returns) == told["observations"] == count
    mean = math.fsum(returns) / count
    sums = [math.fsum((one - mean) ** power for one in returns) / count for power in (2, 3, 4)]
    sharpe = mean / math.sqrt(sums[0] * count / (count - 1))
    skew, kurtosis = sums[1] / sums[0] ** 1.5, sums[2] / sums[0] ** 2
    daily = [one / math.sqrt(365) for one in tried]
    middle = math.fsum(daily) / 10
    spread = math.sqrt(math.fsum((one - middle) ** 2 for one in daily) / 9)
    gamma = 0.577215664901533
    luck = spread * ((1 - gamma) * quantile(0.9) + gamma * quantile(1 - 1 / (10 * math.e)))
    error = math.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (count - 1))
    assert told["sharpe"] == pytest.approx(sharpe * math.sqrt(365), rel=1e-9)
    assert told["sharpe"] == pytest.approx(best.objective, rel=1e-9)
    assert told["threshold"] == pytest.approx(luck * math.sqrt(365), rel=1e-9)
    assert told["probability"] == pytest.approx(below((sharpe - luck) / error), abs=1e-9)


def test_a_search_whose_person_has_left_is_there_when_they_come_back(btc):
    person = get_user_model().objects.create_user("trader")
    browser = Client()
    browser.force_login(person)
    answer = browser.post("/api/v1/searches/", GIVEN, content_type="application/json")
    number = answer.json()["id"]
    # The browser is closed, and its session over: nobody follows, nobody asks.
    browser.logout()
    assert not Session.objects.exists()
    del browser
    search = Search.objects.get(pk=number)
    assert run_job(search.jobs.get().pk) == "done"
    other = Client()
    other.force_login(person)
    page = other.get(f"/backtests/searches/{number}/").content.decode()
    assert 'data-state="done"' in page
    assert "12 of 12 trials" in page
    best = search.trials.exclude(objective=None).order_by("-objective", "number")[0]
    told = other.get(f"/api/v1/searches/{number}/trials/?limit=1").json()["trials"][0]
    assert (told["number"], told["metrics"]) == (best.number, best.metrics)
    assert told["metrics"]["total_return"] == best.objective


def test_many_sets_are_decided_in_one_pass_over_the_candles(btc, monkeypatch):
    """64 sets are one batch, of which 32 are held at once: two passes, instead of 64."""
    passes, whole = [], EmaCrossover.process_lanes

    def counted(strategies, candles, starts):
        passes.append(len(strategies))
        return whole(strategies, candles, starts)

    monkeypatch.setattr(EmaCrossover, "process_lanes", staticmethod(counted))
    space = {"fast": {"min": 3, "max": 10}, "slow": {"min": 11, "max": 18}}
    search = done(asked(**{**GRID, "space": space}))
    assert search.trials.filter(state="done").count() == 64
    assert passes == [32, 32]
