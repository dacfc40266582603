"""Deflated Sharpe ratios as the paper computes them, and bands of chance."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from backtests.domain.roundtrips import ROUND_TRIP
from backtests.domain.search.deflated import (
    deflated_sharpe,
    expected_best,
    probabilistic_sharpe,
)
from backtests.domain.search.montecarlo import QUANTILES, drawdowns, growths, monte_carlo
from backtests.domain.search.stitching import decay, rank_correlation


def test_the_example_of_the_paper_comes_out():
    """Bailey and Lopez de Prado, section "A numerical example": 5 years of 250 daily returns.

    A yearly ratio of 2.5 after 100 trials whose yearly ratios have a variance of 1/2, skewness
    -3 and kurtosis 10.
    """
    threshold = expected_best(0.5 / 250, 100)
    assert threshold == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(2.5 / math.sqrt(250), threshold, 1250, -3, 10)
    assert found == pytest.approx(0.9004, abs=5e-5)


def test_the_ratio_of_few_trials_is_deflated_less():
    """The paper: 46 trials would leave 95 % for sure."""
    few = expected_best(0.5 / 250, 46)
    found = probabilistic_sharpe(2.5 / math.sqrt(250), few, 1250, -3, 10)
    assert found == pytest.approx(0.9505, abs=5e-5)


def test_of_two_trials_the_best_is_expected_by_hand():
    """Half of the standard normal lies below 0, so only the second term is left of two trials."""
    second = 0.5772156649015329 * 0.9003  # the quantile of 1 - 1 / (2 e)
    assert expected_best(1.0, 2) == pytest.approx(second, abs=1e-4)


def test_a_normal_ratio_has_the_chance_of_its_error():
    """Skewness 0 and kurtosis 3: the error is sqrt((1 + SR^2 / 2) / (n - 1))."""
    error = math.sqrt((1 + 0.1**2 / 2) / 99)
    chance = 0.5 * math.erfc(-0.1 / error / math.sqrt(2))
    assert probabilistic_sharpe(0.1, 0.0, 100, 0, 3) == pytest.approx(chance, abs=1e-12)


def test_more_trials_never_make_the_best_more_believable():
    returns = np.random.default_rng(1).normal(0.001, 0.01, 365)
    tried = list(np.random.default_rng(2).normal(0, 0.05, 50))
    chances = [deflated_sharpe(returns, tried, trials).probability for trials in (50, 500, 5000)]
    assert chances == sorted(chances, reverse=True)
    assert deflated_sharpe(returns, tried).trials == 50


@pytest.mark.parametrize(
    ("returns", "tried"),
    [(np.ones(29), [0.1, 0.2]), (np.ones(100), [0.1, 0.2]), (np.arange(100.0), [0.1])],
)
def test_what_is_too_little_to_say_anything_says_nothing(returns, tried):
    assert deflated_sharpe(returns, tried) is None


def trips(*profits):
    made = np.zeros(len(profits), ROUND_TRIP)
    made["profit"], made["is_closed"] = profits, True
    return made


def test_growth_is_profit_over_what_the_account_held_before():
    assert growths(trips(100, -110, 99), 1000).tolist() == pytest.approx([1.1, 0.9, 1.1])
    open_one = trips(100, -110)
    open_one["is_closed"][1] = False
    assert growths(open_one, 1000).tolist() == [1.1]
    assert growths(trips(), 1000).tolist() == []


def test_an_account_that_is_lost_stays_lost():
    assert growths(trips(-1000, 50), 1000).tolist() == [0.0, 1.0]
    assert growths(trips(-1500), 1000).tolist() == [0.0]


def test_the_fall_of_a_path_is_measured_from_its_best_the_beginning_included():
    paths = np.array([[1.1, 0.55, 1.2], [0.8, 0.9, 1.0], [1.1, 1.2, 1.3]])
    assert drawdowns(paths).tolist() == pytest.approx([0.5, 0.2, 0.0])


@settings(max_examples=25)
@given(
    factors=some.lists(some.floats(0.5, 1.5), min_size=2, max_size=40),
    seed=some.integers(0, 2**53),
)
def test_bands_are_ordered_reproducible_and_keep_what_an_order_cannot_change(factors, seed):
    values = np.array(factors)
    found = monte_carlo(values, seed, runs=50)
    assert found == monte_carlo(values, seed, runs=50)
    assert found["total_return"] == pytest.approx(math.prod(factors) - 1, rel=1e-9, abs=1e-12)
    bands = (found["shuffle"]["max_drawdown"], *(found["bootstrap"][key] for key in _BANDS))
    for band in bands:
        levels = [band[f"p{at}"] for at in QUANTILES]
        assert levels == sorted(levels)
    assert all(0 <= level <= 1 for level in found["shuffle"]["max_drawdown"].values())
    # A single fall is the least that any order has.
    assert found["shuffle"]["max_drawdown"]["p5"] >= max(0, 1 - min(factors)) - 1e-9
    assert 0 <= found["bootstrap"]["loss_share"] <= 1
    assert found["fan"]["round_trip"][-1] == len(factors)


_BANDS = ("total_return", "max_drawdown")


def test_blocks_do_not_change_what_is_drawn_over_and_the_memory_is_bounded():
    factors = np.random.default_rng(3).normal(1.0, 0.001, 30_000)
    found = monte_carlo(factors, 1, runs=100)
    assert found["runs"] == 100
    assert len(found["fan"]["p50"]) == 100


def test_one_round_trip_has_no_order():
    assert monte_carlo(np.array([1.1]), 1) is None


def test_orders_that_agree_correlate_fully():
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # Spearman by hand: ranks 1 2 3 4 and 2 1 4 3, 1 - 6 x 4 / (4 x 15).
    assert rank_correlation([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(0.6)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2], [1, 2]) is None


def test_decay_compares_growth_by_day():
    pairs = [({"total_return": 0.2, "sharpe": 2.0}, {"total_return": 0.05, "sharpe": 1.0})]
    found = decay(pairs, [(20.0, 10.0)], "sharpe")
    assert (found["inside"], found["outside"]) == (2.0, 1.0)
    assert found["daily_inside"] == pytest.approx(math.log(1.2) / 20)
    assert found["efficiency"] == pytest.approx(math.log(1.05) / 10 / (math.log(1.2) / 20))
    lost = decay([({"total_return": 0.2}, {"total_return": -1.0})], [(20, 10)], "sharpe")
    assert (lost["efficiency"], lost["inside"]) == (None, None)


def falls_of(path: tuple[float, ...]) -> float:
    """Walk one path as a person would: the deepest fall below its best so far."""
    worth = best = 1.0
    deepest = 0.0
    for factor in path:
        worth *= factor
        best = max(best, worth)
        deepest = max(deepest, 1 - worth / best)
    return deepest


def is_quantile(found: float, share: float, all_of_them: list[float]) -> bool:
    """Whether a value splits equally likely ones as a quantile does, but for what runs scatter."""
    below = sum(value < found - 1e-12 for value in all_of_them) / len(all_of_them)
    at_most = sum(value <= found + 1e-12 for value in all_of_them) / len(all_of_them)
    return below <= share + 0.01 and at_most >= share - 0.01


@pytest.mark.parametrize("factors", [(1.1, 0.5, 1.2, 0.9), (0.8, 1.3, 1.05, 0.97, 1.01)])
def test_the_bands_are_those_of_every_order_and_of_every_draw_counted_out(factors):
    """Few enough to walk each: 24 or 120 orders, 256 or 3,125 draws, all equally likely."""
    found = monte_carlo(np.array(factors), seed=11, runs=40_000)
    orders = [falls_of(order) for order in itertools.permutations(factors)]
    draws = list(itertools.product(factors, repeat=len(factors)))
    returns = [math.prod(draw) - 1 for draw in draws]
    falls = [falls_of(draw) for draw in draws]
    told = (
        (found["shuffle"]["max_drawdown"], orders),
        (found["bootstrap"]["total_return"], returns),
        (found["bootstrap"]["max_drawdown"], falls),
    )
    for band, values in told:
        assert set(band) == {f"p{at}" for at in QUANTILES}
        assert all(is_quantile(band[f"p{at}"], at / 100, values) for at in QUANTILES), band
    lost = sum(value < 0 for value in returns) / len(returns)
    assert found["bootstrap"]["loss_share"] == pytest.approx(lost, abs=0.01)
    assert found["max_drawdown"] == pytest.approx(falls_of(factors), abs=1e-12)


def below(value: float) -> float:
    """Return the share of a standard normal below a value."""
    return 0.5 * math.erfc(-value / math.sqrt(2))


def quantile(share: float) -> float:
    """Return the value below which a share of a standard normal lies, by halving."""
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return low


def test_the_whole_ratio_is_the_papers_formula_worked_out_return_by_return():
    """With other quantiles and plain sums, for returns that are anything but normal."""
    random = np.random.default_rng(4)
    returns = random.standard_t(4, 400) * 0.01 + 0.004 - 0.06 * (random.random(400) < 0.02)
    tried = random.normal(0.02, 0.05, 60).tolist()
    found = deflated_sharpe(returns, tried, 250)
    mean = math.fsum(returns) / 400
    second, third, fourth = (math.fsum((one - mean) ** at for one in returns) for at in (2, 3, 4))
    sharpe = mean / math.sqrt(second / 399)
    skew, kurtosis = third / 400 / (second / 400) ** 1.5, fourth / 400 / (second / 400) ** 2
    assert skew < -0.3
    assert kurtosis > 4
    middle = math.fsum(tried) / 60
    spread = math.sqrt(math.fsum((one - middle) ** 2 for one in tried) / 59)
    gamma = 0.577215664901533
    luck = (1 - gamma) * quantile(1 - 1 / 250) + gamma * quantile(1 - 1 / (250 * math.e))
    error = math.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / 399)
    assert found.threshold == pytest.approx(spread * luck, rel=1e-9)
    assert found.probability == pytest.approx(below((sharpe - spread * luck) / error), rel=1e-9)
    assert 0.01 < found.probability < 0.99
    assert (found.trials, found.observations) == (250, 400)
