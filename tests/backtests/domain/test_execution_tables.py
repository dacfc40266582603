"""The fill rules, each as a small candle table with fills worked out by hand.

Prices are ticks, sizes lots, one lot at one tick is one unit of cash; accounts start with 1,000.
"""

from __future__ import annotations

import pytest

from backtests.domain.records import Command, Kind, Reason, Rules, Sizing
from tests.backtests.domain.kernel import (
    KEEP,
    MINUTE,
    PLAIN,
    SWAP,
    Account,
    candles,
    prices,
    run,
    targets,
)

TARGET, STOP, TRAIL, GOAL = (
    Reason.TARGET,
    Reason.STOP_LOSS,
    Reason.TRAILING_STOP,
    Reason.TAKE_PROFIT,
)

# ------------------------------------------------------------------ entries and exits
LONG_AND_OUT = {
    "an order fills at the next open": (
        prices(100, 110, 120, 130),
        (1, KEEP, KEEP, KEEP),
        PLAIN,
        [(1, 9, 110, TARGET)],
        [1000, 1000, 1090, 1180],
    ),
    "an exit fills at the next open too": (
        prices(100, 100, 120, 130),
        (1, KEEP, 0, KEEP),
        PLAIN,
        [(1, 10, 100, TARGET), (3, -10, 130, TARGET)],
        [1000, 1000, 1200, 1300],
    ),
    "a target that stays the same orders nothing": (
        prices(100, 100, 50, 200),
        (1, 1, 1, 1),
        PLAIN,
        [(1, 10, 100, TARGET)],
        [1000, 1000, 500, 2000],
    ),
    "a decision at the last minute fills nothing": (
        prices(100, 100),
        (KEEP, 1),
        PLAIN,
        [],
        [1000, 1000],
    ),
    "no target, no trade": (prices(100, 110, 90), (0, 0, 0), PLAIN, [], [1000, 1000, 1000]),
    "half a target buys for half of the equity": (
        prices(100, 100, 110),
        (0.5, KEEP, KEEP),
        PLAIN,
        [(1, 5, 100, TARGET)],
        [1000, 1000, 1050],
    ),
    "a smaller target sells the difference": (
        prices(100, 100, 100, 100),
        (1, 0.4, KEEP, KEEP),
        PLAIN,
        [(1, 10, 100, TARGET), (2, -6, 100, TARGET)],
        [1000, 1000, 1000, 1000],
    ),
    "a larger target buys the difference": (
        prices(100, 100, 100, 100),
        (0.4, 1, KEEP, KEEP),
        PLAIN,
        [(1, 4, 100, TARGET), (2, 6, 100, TARGET)],
        [1000, 1000, 1000, 1000],
    ),
    "a short target is refused on spot": (
        prices(100, 100, 100),
        (-1, -1, KEEP),
        PLAIN,
        [],
        [1000, 1000, 1000],
    ),
    "a short target closes a long position on spot": (
        prices(100, 100, 100, 90),
        (1, -1, KEEP, KEEP),
        PLAIN,
        [(1, 10, 100, TARGET), (2, -10, 100, TARGET)],
        [1000, 1000, 1000, 1000],
    ),
    "a short gains when the price falls": (
        prices(100, 100, 90, 80),
        (-1, KEEP, 0, KEEP),
        SWAP,
        [(1, -10, 100, TARGET), (3, 10, 80, TARGET)],
        [1000, 1000, 1100, 1200],
    ),
    "a turn from long to short fills twice at one open": (
        prices(100, 100, 120, 110),
        (1, -1, KEEP, KEEP),
        SWAP,
        [(1, 10, 100, TARGET), (2, -10, 120, TARGET), (2, -10, 120, TARGET)],
        [1000, 1000, 1200, 1300],
    ),
    "a turn from short to long sizes by what is left": (
        prices(100, 100, 80, 80),
        (-1, 1, KEEP, KEEP),
        SWAP,
        [(1, -10, 100, TARGET), (2, 10, 80, TARGET), (2, 15, 80, TARGET)],
        [1000, 1000, 1200, 1200],
    ),
    "a decision every two minutes fills at the third": (
        prices(100, 101, 102, 103),
        (KEEP, 1, KEEP, KEEP),
        PLAIN._replace(timeframe_ms=2 * MINUTE),
        [(2, 9, 102, TARGET)],
        [1000, 1000, 1000, 1009],
    ),
}


@pytest.mark.parametrize("case", LONG_AND_OUT)
def test_targets_become_fills(case):
    table, wanted, rules, fills, equity = LONG_AND_OUT[case]
    result = run(table, targets(*wanted), rules)
    assert (result.fills, result.equity) == (fills, equity)


# ------------------------------------------------------------------ costs, lots and ticks
COSTS = {
    "slippage makes buying dearer and selling cheaper": (
        (PLAIN._replace(slippage=10_000), prices(100, 100, 100)),
        [(1, 9, 101, TARGET), (2, -9, 99, TARGET)],
        (982, 0, 18),
    ),
    "slippage is rounded to the tick against the trader": (
        (PLAIN._replace(slippage=1), prices(100, 100, 100)),
        [(1, 9, 101, TARGET), (2, -9, 99, TARGET)],
        (982, 0, 18),
    ),
    "the taker's fee is taken from both sides": (
        (PLAIN._replace(taker=10_000), prices(100, 100, 100)),
        [(1, 9, 100, TARGET), (2, -9, 100, TARGET)],
        (982, 18, 0),
    ),
    "a fee is rounded up to the cash unit": (
        (PLAIN._replace(taker=1), prices(100, 100, 100)),
        [(1, 9, 100, TARGET), (2, -9, 100, TARGET)],
        (998, 2, 0),
    ),
    "a fee that just fits leaves no cash": (
        (PLAIN._replace(taker=10_000), prices(99, 99, 99)),
        [(1, 10, 99, TARGET), (2, -10, 99, TARGET)],
        (980, 20, 0),
    ),
    "slippage and fee both come before the size": (
        (PLAIN._replace(taker=10_000, slippage=10_000), prices(100, 100, 100)),
        # 9 x 101 = 909, fee 10; sold 9 x 99 = 891, fee 9
        [(1, 9, 101, TARGET), (2, -9, 99, TARGET)],
        (963, 19, 18),
    ),
    "a lot may be worth many cash units": (
        (PLAIN._replace(cash_per_tick_lot=3), prices(100, 100, 100)),
        [(1, 3, 100, TARGET), (2, -3, 100, TARGET)],
        (1000, 0, 0),
    ),
    "less than the smallest order is no order": (
        (PLAIN._replace(minimum_lots=11), prices(100, 100, 100)),
        [],
        (1000, 0, 0),
    ),
    "exactly the smallest order is one": (
        (PLAIN._replace(minimum_lots=10), prices(100, 100, 100)),
        [(1, 10, 100, TARGET), (2, -10, 100, TARGET)],
        (1000, 0, 0),
    ),
    "a price above the cash buys nothing": (
        (PLAIN, prices(2000, 2000, 2000)),
        [],
        (1000, 0, 0),
    ),
}


@pytest.mark.parametrize("case", COSTS)
def test_costs_are_the_exchanges(case):
    (rules, table), fills, (cash, fees, slippage) = COSTS[case]
    result = run(table, targets(1, 0, KEEP), rules)
    assert result.fills == fills
    assert (result.state["cash"], result.state["fees"], result.state["slippage"]) == (
        cash,
        fees,
        slippage,
    )


# ------------------------------------------------------------------ sizing
SIZES = {
    "a fraction of the equity": (PLAIN._replace(size=250_000), 2),
    "a fixed amount": (PLAIN._replace(sizing=Sizing.QUOTE, size=350), 3),
    "a fixed amount above the cash": (PLAIN._replace(sizing=Sizing.QUOTE, size=5000), 10),
    # 2 % of 1,000 is 20; a lot bought at 100 loses 5 at its stop of 95
    "a share at risk": (PLAIN._replace(sizing=Sizing.RISK, size=20_000, stop_loss=50_000), 4),
    # the same with a fee of 1 % each way: 5 + 1 + 1 = 7 a lot
    "a share at risk, fees included": (
        PLAIN._replace(sizing=Sizing.RISK, size=20_000, stop_loss=50_000, taker=10_000),
        2,
    ),
    "a share at risk beyond the cash": (
        PLAIN._replace(sizing=Sizing.RISK, size=900_000, stop_loss=50_000),
        10,
    ),
    "a limit on exposure": (PLAIN._replace(max_exposure=300_000), 3),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_target_of_one_is_as_large_as_set(case):
    rules, lots = SIZES[case]
    result = run(prices(100, 100), targets(1, KEEP), rules)
    assert result.fills == [(1, lots, 100, TARGET)]


# ------------------------------------------------------------------ stops and targets
STOPS: dict[str, tuple[Rules, tuple[tuple[float, ...], ...], float, tuple[object, ...]]] = {
    "a stop inside the range fills at the stop": (
        PLAIN._replace(stop_loss=50_000),
        ((100, 101, 94, 96),),
        1,
        (1, -10, 95, STOP),
    ),
    "a stop touched to the tick fills": (
        PLAIN._replace(stop_loss=50_000),
        ((100, 101, 95, 96),),
        1,
        (1, -10, 95, STOP),
    ),
    "a stop that was jumped over fills at the open": (
        PLAIN._replace(stop_loss=50_000),
        ((100, 100, 100, 100), (90, 99, 85, 98)),
        1,
        (2, -10, 90, STOP),
    ),
    "a stop pays slippage": (
        PLAIN._replace(stop_loss=50_000, slippage=10_000, size=500_000),
        # bought 4 at 101; the stop is 95 (5 % below 101, rounded down), filled at 94
        ((100, 101, 94, 96),),
        1,
        (1, -4, 94, STOP),
    ),
    "a target inside the range fills at the target": (
        PLAIN._replace(take_profit=50_000),
        ((100, 106, 99, 101),),
        1,
        (1, -10, 105, GOAL),
    ),
    "a target touched to the tick fills": (
        PLAIN._replace(take_profit=50_000),
        ((100, 105, 99, 101),),
        1,
        (1, -10, 105, GOAL),
    ),
    "a target that was jumped over fills at the open": (
        PLAIN._replace(take_profit=50_000),
        ((100, 100, 100, 100), (110, 112, 109, 111)),
        1,
        (2, -10, 110, GOAL),
    ),
    "stop and target in one minute: the stop was first": (
        PLAIN._replace(stop_loss=50_000, take_profit=50_000),
        ((100, 120, 80, 100),),
        1,
        (1, -10, 95, STOP),
    ),
    "a short's stop lies above": (
        SWAP._replace(stop_loss=50_000),
        ((100, 107, 99, 100),),
        -1,
        (1, 10, 105, STOP),
    ),
    "a short's stop that was jumped over fills at the open": (
        SWAP._replace(stop_loss=50_000),
        ((100, 100, 100, 100), (108, 109, 101, 102)),
        -1,
        (2, 10, 108, STOP),
    ),
    "a short's target lies below": (
        SWAP._replace(take_profit=50_000),
        ((100, 101, 94, 97),),
        -1,
        (1, 10, 95, GOAL),
    ),
    "a short's target that was jumped over fills at the open": (
        SWAP._replace(take_profit=50_000),
        ((100, 100, 100, 100), (90, 91, 85, 86)),
        -1,
        (2, 10, 90, GOAL),
    ),
    "a trailing stop follows the high of closed minutes": (
        PLAIN._replace(trailing_stop=100_000),
        ((100, 120, 100, 115), (116, 117, 108, 110)),
        1,
        (2, -10, 108, TRAIL),
    ),
    "a trailing stop works from the entry on": (
        PLAIN._replace(trailing_stop=100_000),
        ((100, 101, 89, 95),),
        1,
        (1, -10, 90, TRAIL),
    ),
    "a short's trailing stop follows the low": (
        SWAP._replace(trailing_stop=100_000),
        ((100, 100, 80, 82), (82, 89, 81, 85)),
        -1,
        (2, 10, 88, TRAIL),
    ),
    "the nearer of two stops counts": (
        PLAIN._replace(stop_loss=50_000, trailing_stop=100_000),
        ((100, 101, 80, 95),),
        1,
        (1, -10, 95, STOP),
    ),
    "a flat minute stops nothing": (
        PLAIN._replace(stop_loss=50_000),
        ((100, 100, 100, 100), (90, 90, 90, 90, 0), (99, 99, 95, 97)),
        1,
        (3, -10, 95, STOP),
    ),
    "a stop nearer than the slippage fills at the open": (
        PLAIN._replace(stop_loss=1_000, slippage=50_000, size=500_000),
        # bought 4 at 105 with a stop at 104; the minute never traded above 100: 100 less 5
        ((100, 100, 100, 100),),
        1,
        (1, -4, 95, STOP),
    ),
}


@pytest.mark.parametrize("case", STOPS)
def test_stops_and_targets_fill_where_the_market_was(case):
    rules, rows, wanted, expected = STOPS[case]
    table = candles((100, 100, 100, 100), *rows, (100, 100, 100, 100))
    keep = [KEEP] * (len(rows) + 1)
    result = run(table, targets(wanted, *keep), rules)
    assert result.fills[1:] == [expected]


def test_a_target_pays_the_makers_fee_and_a_stop_the_takers():
    rules = PLAIN._replace(take_profit=50_000, stop_loss=50_000, maker=10_000, taker=20_000)
    won = run(candles((100,) * 4, (100, 106, 100, 100)), targets(1, KEEP), rules)
    lost = run(candles((100,) * 4, (100, 100, 94, 100)), targets(1, KEEP), rules)
    # 9 x 105 x 1 % = 9.45; 9 x 95 x 2 % = 17.1, both up
    assert won.events["fee"].tolist() == [18, 10]
    assert lost.events["fee"].tolist() == [18, 18]


def test_a_trailing_stop_never_moves_inside_the_minute_that_moves_it():
    # The minute of the high also falls far below the trail it leads to: that one works later.
    table = candles((100,) * 4, (100, 200, 150, 190), (190, 195, 179, 185))
    result = run(table, targets(1, KEEP, KEEP), PLAIN._replace(trailing_stop=100_000))
    assert result.fills == [(1, 10, 100, TARGET), (2, -10, 180, TRAIL)]


@pytest.mark.parametrize("side", [1, -1])
def test_a_trailing_stop_that_is_switched_on_later_follows_from_the_next_close_on(side):
    # As after an edit: the best price is that of the minutes since. Up and down mirror each other.
    def at(up):
        return 100 + side * up

    def minute(open_, best, worst, close):
        return (at(open_), max(at(best), at(worst)), min(at(best), at(worst)), at(close))

    begun = run(candles(minute(0, 0, 0, 0), minute(0, 50, 0, 20)), targets(side, KEEP), SWAP)
    rules = SWAP._replace(trailing_stop=100_000)
    table = candles(minute(20, 20, 10, 20), minute(20, 20, -20, -10))
    after = run(table, targets(KEEP, KEEP), rules, state=begun.state.reshape(1))
    # A tenth off 120 is 108; a tenth on 80 is 88.
    assert after.fills == [(1, -side * 10, 108 if side > 0 else 88, TRAIL)]


def test_the_stop_of_an_enlarged_position_follows_its_average_price():
    # 5 at 100 and 5 at 95 make 97.5, to the tick 98; the first tick 10 % below it is 88.
    table = candles((100,) * 4, (100,) * 4, (95,) * 4, (95, 95, 87, 90))
    result = run(table, targets(0.5, 1, KEEP, KEEP), PLAIN._replace(stop_loss=100_000))
    assert result.fills == [
        (1, 5, 100, TARGET),
        (2, 5, 95, TARGET),
        (3, -10, 88, STOP),
    ]


def test_after_a_stop_the_same_target_enters_no_more_until_it_changed():
    table = candles((100,) * 4, (100, 100, 94, 96), (96,) * 4, (96,) * 4, (96,) * 4)
    rules = PLAIN._replace(stop_loss=50_000)
    stayed = run(table, targets(1, 1, 1, 1, 1), rules)
    changed = run(table, targets(1, 1, 0, 1, 1), rules)
    assert [fill[0] for fill in stayed.fills] == [1, 1]
    assert [fill[0] for fill in changed.fills] == [1, 1, 4]


# ------------------------------------------------------------------ minutes that do not trade
def test_a_flat_minute_fills_nothing_and_the_next_traded_one_does():
    table = candles((100,) * 4, (100, 100, 100, 100, 0), (103,) * 4)
    result = run(table, targets(1, KEEP, KEEP), PLAIN._replace(timeframe_ms=5 * MINUTE))
    assert result.fills == [(2, 9, 103, TARGET)]


def test_an_order_is_cancelled_when_nothing_trades_for_longer_than_the_timeframe():
    table = candles((100,) * 4, (100,) * 4 + (0,), (100,) * 4 + (0,), (103,) * 4)
    result = run(table, targets(1, KEEP, KEEP, KEEP))
    assert result.fills == []
    assert result.others == [(3, Kind.CANCELLED, Reason.NO_TRADE)]


def test_an_order_fills_at_exactly_one_timeframe():
    table = candles((100,) * 4, (100,) * 4 + (0,), (103,) * 4)
    result = run(table, targets(1, KEEP, KEEP))
    assert result.fills == [(2, 9, 103, TARGET)]


def test_an_exit_that_was_cancelled_is_ordered_again():
    table = candles(*[(100,) * 4] * 3, *[(100,) * 4 + (0,)] * 2, (90,) * 4, (80,) * 4)
    result = run(table, targets(1, KEEP, 0, 0, 0, 0, 0))
    assert result.others == [(5, Kind.CANCELLED, Reason.NO_TRADE)]
    assert result.fills[1:] == [(6, -10, 80, TARGET)]


def test_a_target_taken_back_before_anything_traded_buys_nothing():
    table = candles((100,) * 4, (100,) * 4 + (0,), (100,) * 4)
    result = run(table, targets(1, 0, KEEP), PLAIN._replace(timeframe_ms=5 * MINUTE))
    assert result.fills == []
    assert result.others == [(2, Kind.CANCELLED, Reason.TARGET)]


def test_equity_is_marked_at_the_close_of_flat_minutes_too():
    table = candles((100,) * 4, (100, 110, 100, 110), (110,) * 4 + (0,))
    assert run(table, targets(1, KEEP, KEEP)).equity == [1000, 1100, 1100]


# ------------------------------------------------------------------ limits in time and money
def test_a_time_stop_leaves_at_the_open_after_its_time():
    rules = PLAIN._replace(time_stop_ms=2 * MINUTE)
    result = run(prices(100, 100, 101, 102, 103), targets(1, 1, 1, 1, 1), rules)
    assert result.fills == [(1, 10, 100, TARGET), (3, -10, 102, Reason.TIME_STOP)]


def test_after_a_loss_nothing_is_entered_until_the_cooldown_is_over():
    rules = PLAIN._replace(cooldown_ms=2 * MINUTE)
    result = run(prices(100, 100, 90, 90, 90, 90, 90), targets(1, 0, 1, 0, 1, KEEP, KEEP), rules)
    assert [fill[:3] for fill in result.fills] == [(1, 10, 100), (2, -10, 90), (5, 10, 90)]
    assert result.others == [(3, Kind.SKIPPED, Reason.COOLDOWN)]


def test_after_a_gain_there_is_no_cooldown():
    rules = PLAIN._replace(cooldown_ms=10 * MINUTE)
    result = run(prices(100, 100, 110, 110), targets(1, 0, 1, KEEP), rules)
    assert [fill[0] for fill in result.fills] == [1, 2, 3]


def test_after_breaking_even_there_is_no_cooldown():
    rules = PLAIN._replace(cooldown_ms=10 * MINUTE)
    result = run(prices(100, 100, 100, 100), targets(1, 0, 1, KEEP), rules)
    assert [fill[0] for fill in result.fills] == [1, 2, 3]


def test_a_position_is_reduced_by_the_smallest_order_and_by_nothing_smaller():
    reduced = run(prices(100, 100, 100), targets(1, 0.5, KEEP), PLAIN._replace(minimum_lots=5))
    kept = run(prices(100, 100, 100), targets(1, 0.5, KEEP), PLAIN._replace(minimum_lots=6))
    assert [fill[1] for fill in reduced.fills] == [10, -5]
    assert [fill[1] for fill in kept.fills] == [10]
    assert kept.others == [(2, Kind.SKIPPED, Reason.BELOW_MINIMUM)]


def test_a_drawdown_beyond_the_limit_flattens_and_ends():
    rules = PLAIN._replace(max_drawdown=200_000)
    result = run(prices(100, 100, 120, 96, 95, 95), targets(1, 1, 1, 1, 0, 1), rules)
    # the peak is 1,200; at 96 a fifth of it is gone
    assert result.fills == [(1, 10, 100, TARGET), (4, -10, 95, Reason.MAX_DRAWDOWN)]
    assert result.others == [
        (4, Kind.HALTED, Reason.MAX_DRAWDOWN),
        (6, Kind.SKIPPED, Reason.HALTED),
    ]


def test_a_daily_loss_flattens_and_blocks_until_midnight():
    rules = PLAIN._replace(max_daily_loss=100_000)
    account = Account(rules)
    account.minute = 24 * 60 - 5
    for price, wanted in ((100, 1), (100, KEEP), (89, 0), (89, 1), (89, 0), (89, 1), (89, KEEP)):
        account.step((price,) * 4, wanted)
    result = account.told()
    first = 24 * 60 - 5
    assert [(fill[0] - first, fill[3]) for fill in result.fills] == [
        (1, TARGET),
        (3, Reason.DAILY_LOSS),
        (6, TARGET),
    ]
    assert (first + 4, Kind.SKIPPED, Reason.DAILY_LOSS) in result.others


def test_a_short_that_lost_everything_is_closed_where_it_did():
    table = candles((100,) * 4, (100,) * 4, (100, 250, 100, 240), (240,) * 4)
    result = run(table, targets(-1, KEEP, KEEP, KEEP), SWAP)
    assert result.fills == [(1, -10, 100, TARGET), (2, 10, 200, Reason.LIQUIDATION)]
    assert result.equity[-1] == 0
    assert result.others == [(3, Kind.HALTED, Reason.LIQUIDATION)]


def test_a_short_that_was_made_smaller_is_lost_further_away():
    # Half of ten lots is bought back at 100: what is left owes 500 and is lost at 300, not at 200.
    table = candles((100,) * 4, (100,) * 4, (100,) * 4, (100, 250, 100, 240), (100, 310, 100, 300))
    result = run(table, targets(-1, -0.5, KEEP, KEEP, KEEP), SWAP)
    assert result.fills == [
        (1, -10, 100, TARGET),
        (2, 5, 100, TARGET),
        (4, 5, 300, Reason.LIQUIDATION),
    ]
    assert result.equity == [1000, 1000, 1000, 300, 0]


# ------------------------------------------------------------------ commands
def test_a_flatten_closes_at_the_last_trade_with_slippage():
    account = Account(PLAIN._replace(slippage=10_000))
    account.step((100,) * 4, 1)
    account.step((100,) * 4)
    account.step((100,) * 4, commands=((Command.FLATTEN, 110),))
    account.step((100,) * 4, 1)
    assert account.told().fills == [(1, 9, 101, TARGET), (2, -9, 108, Reason.COMMAND)]


def test_a_flatten_without_a_known_trade_waits_for_the_next_open():
    account = Account()
    account.step((100,) * 4, 1)
    account.step((100,) * 4)
    account.step((100,) * 4, commands=((Command.FLATTEN, 0),))
    account.step((100,) * 4 + (0,))
    account.step((100,) * 4 + (0,))
    account.step((97,) * 4)
    assert account.told().fills[1:] == [(5, -10, 97, Reason.COMMAND)]


def test_a_pause_enters_nothing_and_still_leaves():
    account = Account()
    account.step((100,) * 4, 1)
    account.step((100,) * 4, 0, commands=((Command.PAUSE, 0),))
    account.step((100,) * 4, 1)
    account.step((100,) * 4, 0, commands=((Command.RESUME, 0),))
    account.step((100,) * 4, 1)
    account.step((100,) * 4)
    result = account.told()
    assert [fill[:2] for fill in result.fills] == [(1, 10), (2, -10), (5, 10)]
    assert result.others == [(3, Kind.SKIPPED, Reason.PAUSED)]


def test_a_pause_stops_an_order_that_was_waiting():
    account = Account()
    account.step((100,) * 4 + (0,), commands=((Command.PAUSE, 0),))
    account.state["is_paused"] = 0
    account.step((100,) * 4, 1)
    account.state["is_paused"] = 1
    account.step((100,) * 4)
    assert account.told().others == [(2, Kind.SKIPPED, Reason.PAUSED)]


def test_a_halt_flattens_and_ends():
    account = Account()
    account.step((100,) * 4, 1)
    account.step((100,) * 4)
    account.step((100,) * 4, 0, commands=((Command.HALT, 100),))
    account.step((100,) * 4, 1)
    account.step((100,) * 4)
    result = account.told()
    assert result.fills[1:] == [(2, -10, 100, Reason.COMMAND)]
    assert result.others[0] == (2, Kind.HALTED, Reason.COMMAND)
    assert result.others[1][1:] == (Kind.SKIPPED, Reason.HALTED)


def test_a_decision_made_too_late_enters_nothing_and_still_leaves():
    account = Account()
    account.step((100,) * 4, 1, may_enter=False)
    account.step((100,) * 4, 0)
    account.step((100,) * 4, 1)
    account.step((100,) * 4, 0, may_enter=False)
    account.step((100,) * 4)
    result = account.told()
    assert result.others == [(1, Kind.SKIPPED, Reason.STALE)]
    assert [fill[:2] for fill in result.fills] == [(3, 10), (4, -10)]


def test_a_stop_that_fills_takes_the_waiting_exit_with_it():
    table = candles((100,) * 4, (100,) * 4, (90,) * 4, (90,) * 4)
    result = run(table, targets(1, 0, KEEP, KEEP), PLAIN._replace(stop_loss=50_000))
    assert result.fills[1:] == [(2, -10, 90, STOP)]
    assert result.others == [(2, Kind.CANCELLED, Reason.STOPPED_BEFORE)]


def test_a_stop_that_fills_leaves_a_turn_its_second_half():
    table = candles((100,) * 4, (100,) * 4, (90,) * 4, (90,) * 4)
    result = run(table, targets(1, -1, KEEP, KEEP), SWAP._replace(stop_loss=50_000))
    assert result.fills[1:] == [(2, -10, 90, STOP), (2, -10, 90, TARGET)]
