"""Every figure on a handful of numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backtests.domain.drawdown import deepest
from backtests.domain.metrics import DAY_MS, METRICS, Account, account, all_metrics, daily_equity
from backtests.domain.records import Kind, Reason, new_events
from backtests.domain.roundtrips import ROUND_TRIP, RoundTrips, round_trips
from tests.backtests.domain.kernel import PLAIN, SWAP, prices, run, targets

HOUR = 3_600_000


def trips(*profits: int, lasting: int = HOUR) -> RoundTrips:
    made = np.zeros(len(profits), ROUND_TRIP)
    made["profit"], made["is_closed"] = profits, True
    made["entry_ms"] = np.arange(len(profits)) * 2 * lasting
    made["exit_ms"] = made["entry_ms"] + lasting
    made["paid"], made["received"], made["lots"], made["exit_tick"] = 100, 110, 1, 110
    return made


def of(equity: list[float], made: RoundTrips | None = None, **rest: float) -> Account:
    """Return the account of a run marked once a day, at midnight."""
    marks = np.array(equity, np.int64)
    return account(
        start=1000,
        times_ms=np.arange(1, len(marks) + 1, dtype=np.int64) * DAY_MS,
        equity=marks,
        trips=trips() if made is None else made,
        closes=np.array([100] * (len(marks) - 1) + [120], np.int64),
        **rest,
    )


def figures(*arguments, **rest):
    return all_metrics(of(*arguments, **rest))


def test_returns_are_of_the_initial_balance():
    told = figures([1100, 1200])
    assert told["total_return"] == pytest.approx(0.2)
    assert told["buy_and_hold"] == pytest.approx(0.2)


def test_a_doubling_in_a_year_is_a_cagr_of_one():
    assert figures([1500] * 365 + [2000])["cagr"] == pytest.approx(1.0, rel=1e-4)


def test_ratios_of_daily_returns():
    # Up 10 %, down 10 %, 20 times: mean 0, spread 0.1 x sqrt(40/39)
    equity, last = [], 1000.0
    for _ in range(20):
        equity += [last * 1.1, last * 0.99]
        last *= 0.99
    returns = (
        np.diff(np.array([1000, *map(int, equity)])) / np.array([1000, *map(int, equity)])[:-1]
    )
    told = figures(equity)
    assert told["sharpe"] == pytest.approx(
        returns.mean() / returns.std(ddof=1) * math.sqrt(365), rel=1e-12
    )
    below = math.sqrt(np.mean(np.minimum(returns, 0) ** 2))
    assert told["sortino"] == pytest.approx(returns.mean() / below * math.sqrt(365), rel=1e-12)
    assert told["volatility"] == pytest.approx(0.1 * math.sqrt(40 / 39 * 365), rel=0.01)


def test_a_month_is_needed_for_a_ratio():
    short = figures([1000 + day for day in range(29)])
    assert (short["sharpe"], short["sortino"]) == (None, None)
    assert figures([1000 + day * (day % 3) for day in range(31)])["sharpe"] is not None


def test_equity_that_never_moves_has_no_ratios():
    still = figures([1000] * 40)
    for key in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy"):
        assert still[key] is None
    assert still["max_drawdown"] == 0.0


def test_the_deepest_fall_counts_from_the_initial_balance():
    times = np.arange(1, 7, dtype=np.int64) * DAY_MS
    fall = deepest(times, np.array([900, 1200, 900, 600, 1300, 1250], np.int64), 1000)
    assert fall.depth == pytest.approx(0.5)
    assert (fall.peak_ms, fall.trough_ms, fall.recovered_ms) == tuple(times[[1, 3, 4]])
    assert fall.longest_ms == 3 * DAY_MS


def test_a_fall_at_the_very_start_and_without_recovery():
    times = np.arange(1, 4, dtype=np.int64) * DAY_MS
    fall = deepest(times, np.array([900, 800, 850], np.int64), 1000)
    assert fall.depth == pytest.approx(0.2)
    assert (fall.trough_ms, fall.recovered_ms) == (times[1], None)
    assert fall.longest_ms == 2 * DAY_MS


def test_figures_of_round_trips():
    told = figures([1000, 1010], trips(30, -10, -20, 0, -5, 40))
    assert told["round_trips"] == 6
    assert told["win_rate"] == pytest.approx(2 / 6)
    assert told["draw_rate"] == pytest.approx(1 / 6)
    assert told["profit_factor"] == pytest.approx(70 / 35)
    assert told["expectancy"] == pytest.approx(35 / 6)
    assert (told["best_trip"], told["worst_trip"]) == (40, -20)
    assert told["longest_losing_run"] == 2
    assert told["average_holding"] == HOUR
    assert told["exposure"] == pytest.approx(6 * HOUR / (2 * DAY_MS - DAY_MS + 60_000))


def test_expectancy_in_r_needs_a_stop():
    made = trips(10, -5)
    assert figures([1000, 1005], made)["expectancy_r"] is None
    # 100 paid at a stop of 5 %: 5 at risk; (2 R - 1 R) / 2
    assert figures([1000, 1005], made, stop_share=0.05)["expectancy_r"] == pytest.approx(0.5)


def test_nothing_is_ever_infinite():
    for equity in ([0, 0], [1000] * 40, [1, 10**15], list(range(1, 60))):
        for profits in ((), (5,), (-5,), (0, 0)):
            for value in figures(equity, trips(*profits)).values():
                assert value is None or math.isfinite(value)


def test_every_figure_says_how_it_is_computed():
    assert len({metric.key for metric in METRICS}) == len(METRICS)
    assert all(len(metric.formula) > 10 for metric in METRICS)


def test_days_are_cut_at_midnight_utc():
    times = np.array([DAY_MS - 60_000, DAY_MS, DAY_MS + 60_000, 2 * DAY_MS + HOUR], np.int64)
    marks = daily_equity(times, np.array([1, 2, 3, 4], np.int64), 9)
    assert marks.tolist() == [9, 2, 3]


def test_round_trips_of_a_turn_are_two():
    result = run(prices(100, 100, 120, 110, 110), targets(1, -1, 0, None, None), SWAP)
    made = round_trips(result.events, 1)
    assert made["side"].tolist() == [1, -1]
    assert made["profit"].tolist() == [200, 100]
    assert made["entry_tick"].tolist() == [100, 120]
    assert made["exit_tick"].tolist() == [120, 110]
    assert made["is_closed"].all()


def test_a_round_trip_in_parts_has_average_prices():
    wanted = targets(0.5, 1, 0.5, 0, None)
    result = run(prices(100, 100, 50, 100, 100), wanted, PLAIN)
    (made,) = round_trips(result.events, 1)
    # 5 at 100, then all of it: equity 750 at 50 is 15 lots, 10 more; out at 100
    assert (made["lots"], made["fills"]) == (15, 4)
    assert made["entry_tick"] == pytest.approx(1000 / 15)
    assert made["profit"] == 500


def test_an_open_round_trip_has_no_profit_yet():
    made = round_trips(run(prices(100, 100, 120), targets(1, None, None)).events, 1)
    assert not made["is_closed"][0]
    assert made["profit"][0] == 0
    assert np.isnan(made["exit_tick"][0])


def test_events_that_are_no_fills_make_no_round_trip():
    events = new_events(2)
    events["kind"], events["reason"] = Kind.SKIPPED, Reason.PAUSED
    assert len(round_trips(events, 1)) == 0


def test_turnover_counts_what_was_sold_of_a_position_that_is_still_open():
    # Ten bought at 100, five sold at 120: 1,600 traded by an account of 1,000.
    result = run(prices(100, 100, 120, 120), targets(1, 0.5, None, None))
    told = round_trips(result.events, 1)
    assert (told["is_closed"].tolist(), told["received"].tolist()) == ([False], [600])
    whole = of([1000], told)
    assert all_metrics(whole)["turnover"] == pytest.approx(1.6)


@pytest.mark.parametrize("key", ["sharpe", "sortino", "volatility"])
def test_a_figure_of_daily_returns_is_known_from_as_many_days_on_as_it_says(key):
    [needed] = [metric.days_needed for metric in METRICS if metric.key == key]
    marks = [900, 1100] * needed
    assert figures(marks[:needed])[key] is not None
    assert figures(marks[: needed - 1])[key] is None
