"""What holds for the kernel whatever the market, the targets and the rules."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.kernels.execution import walk
from backtests.domain.kernels.orders import affordable, cost_of, share_down, share_up
from backtests.domain.records import (
    PPM,
    UNCHANGED,
    Kind,
    Minutes,
    Reason,
    Rules,
    Sizing,
    new_events,
    new_state,
)
from backtests.domain.units import Units
from marketdata.domain.records import InstrumentSpec
from tests.backtests.domain.kernel import MINUTE, PLAIN, Account

COLUMNS = ("times", "traded", "opens", "highs", "lows", "closes")
share = st.integers(0, 50_000)


@st.composite
def markets(draw, longest: int = 60):
    """Return candle columns and targets."""
    size = draw(st.integers(1, longest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    closes = np.maximum(2, 1000 + rng.integers(-60, 61, size).cumsum())
    opens = np.maximum(2, np.concatenate(([1000], closes[:-1])) + rng.integers(-30, 31, size))
    columns = {
        "times": np.arange(size, dtype=np.int64) * MINUTE,
        "traded": rng.random(size) > 0.1,
        "opens": opens,
        "highs": np.maximum(opens, closes) + rng.integers(0, 40, size),
        "lows": np.maximum(1, np.minimum(opens, closes) - rng.integers(0, 40, size)),
        "closes": closes,
    }
    choices = np.array([UNCHANGED, UNCHANGED, 0, PPM, PPM // 3, -PPM, -PPM // 2])
    return columns, rng.choice(choices, size)


@st.composite
def rule_sets(draw, *, margined: bool | None = None):
    is_margined = draw(st.booleans()) if margined is None else margined
    sizing = draw(st.sampled_from(Sizing))
    size = draw(st.integers(1, 400_000)) if sizing == Sizing.QUOTE else draw(st.integers(1, PPM))
    return PLAIN._replace(
        minimum_lots=draw(st.integers(1, 20)),
        cash_per_tick_lot=draw(st.integers(1, 5)),
        timeframe_ms=MINUTE * draw(st.integers(1, 5)),
        taker=draw(share),
        maker=draw(share),
        slippage=draw(share),
        sizing=int(sizing),
        size=size,
        is_short_allowed=is_margined,
        is_margined=is_margined,
        stop_loss=draw(st.integers(1, 100_000)),
        take_profit=draw(share),
        trailing_stop=draw(share),
        time_stop_ms=MINUTE * draw(st.integers(0, 9)),
        cooldown_ms=MINUTE * draw(st.integers(0, 9)),
        max_drawdown=draw(st.sampled_from((0, 100_000, 500_000))),
        max_daily_loss=draw(st.sampled_from((0, 50_000))),
        max_exposure=draw(st.integers(1, PPM)),
    )


def walked(columns, targets, rules: Rules, cuts: tuple[int, ...] = (), capacity: int = 4000):
    """Return state, events and equity of a walk, broken off and taken up again at `cuts`."""
    state, events = new_state(500_000), new_events(capacity)
    equity, count, edges = np.zeros(len(targets), np.int64), 0, (0, *sorted(cuts), len(targets))
    for first, end in pairwise(edges):
        state = np.frombuffer(state.tobytes(), state.dtype).copy()  # stored and loaded again
        parts = Minutes(*(columns[name][first:end] for name in COLUMNS), targets=targets[first:end])
        done, count = walk(state, rules, parts, 0, equity[first:end], events, count)
        assert done == end - first
    return state, events[:count], equity


@settings(max_examples=300)
@given(markets(), rule_sets(margined=False))
def test_cash_is_never_negative_on_spot(market, rules):
    state, events, _ = walked(*market, rules)
    assert state["cash"][0] >= 0
    assert (events["cash"] >= 0).all()
    assert (events["position"] >= 0).all()


@st.composite
def plain_rules(draw):
    """Return rules under which nothing but a target ends a position."""
    rules = draw(rule_sets(margined=False))
    return rules._replace(
        stop_loss=0,
        take_profit=0,
        trailing_stop=0,
        time_stop_ms=0,
        max_drawdown=0,
        max_daily_loss=0,
        sizing=int(Sizing.FRACTION),
        size=draw(st.integers(1, PPM)),
    )


@settings(max_examples=300)
@given(markets(), rule_sets())
def test_equity_is_cash_and_position_at_every_close(market, rules):
    columns, targets = market
    state, events, equity = walked(columns, targets, rules)
    fills = events[events["kind"] == Kind.FILL]
    minutes = fills["time_ms"] // MINUTE
    cash, lots = np.full(len(targets), 500_000), np.zeros(len(targets), np.int64)
    value = fills["lots"] * fills["tick"] * rules.cash_per_tick_lot
    for minute, paid, bought in zip(minutes, value + fills["fee"], fills["lots"], strict=True):
        cash[minute:] -= paid
        lots[minute:] += bought
    assert (equity == cash + lots * columns["closes"] * rules.cash_per_tick_lot).all()
    assert (state["fees"][0], state["slippage"][0]) == (
        fills["fee"].sum(),
        fills["slippage"].sum(),
    )


@settings(max_examples=300)
@given(markets(), rule_sets(), st.lists(st.integers(0, 60), max_size=5))
def test_a_walk_broken_off_anywhere_is_the_same_walk(market, rules, cuts):
    columns, targets = market
    whole = walked(columns, targets, rules)
    split = walked(columns, targets, rules, tuple(min(cut, len(targets)) for cut in cuts))
    for one, other in zip(whole, split, strict=True):
        assert one.tobytes() == other.tobytes()


@settings(max_examples=300)
@given(markets(), st.one_of(rule_sets(), plain_rules()))
def test_the_halves_of_a_bot_do_what_the_walk_of_a_backtest_does(market, rules):
    columns, wanted = market
    account = Account(rules, 500_000)
    for row in range(len(wanted)):
        candle = [int(columns[name][row]) for name in COLUMNS[2:]]
        target = None if wanted[row] == UNCHANGED else wanted[row] / PPM
        account.step((*candle, int(columns["traded"][row])), target)
    state, events, equity = walked(columns, wanted, rules)
    assert account.state.tobytes() == state.tobytes()
    assert account.events[: account.count].tobytes() == events.tobytes()
    assert account.equity == equity.tolist()


@settings(max_examples=50)
@given(markets(), rule_sets())
def test_a_walk_without_room_stops_before_it_overflows(market, rules):
    columns, targets = market
    state, events, equity = new_state(500_000), new_events(14), np.zeros(len(targets), np.int64)
    index = 0
    told = []
    while index < len(targets):
        before = index
        parts = Minutes(**columns, targets=targets)
        index, count = walk(state, rules, parts, index, equity, events, 0)
        told.append(events[:count].copy())
        assert index > before
    whole = walked(columns, targets, rules)
    assert np.concatenate(told).tobytes() == whole[1].tobytes()


@settings(max_examples=300)
@given(markets(), rule_sets())
def test_every_fill_lies_in_its_minute_but_for_the_slippage(market, rules):
    columns, targets = market
    _, events, _ = walked(columns, targets, rules)
    for event in events[events["kind"] == Kind.FILL]:
        minute = event["time_ms"] // MINUTE
        slip = share_up(int(columns["highs"][minute]), rules.slippage)
        assert columns["traded"][minute]
        assert columns["lows"][minute] - slip <= event["tick"] <= columns["highs"][minute] + slip


@given(st.integers(0, 2**55), st.integers(0, PPM))
def test_shares_of_a_value_are_exact(value, part):
    assert share_down(value, part) == value * part // PPM
    assert share_up(value, part) == -(-value * part // PPM)


@given(st.integers(0, 2**52), st.integers(1, 2**36), st.integers(0, 100_000))
def test_what_is_affordable_is_the_most_that_is(budget, unit, fee):
    lots = affordable(budget, unit, fee)
    assert lots == 0 or cost_of(lots, unit, fee) <= budget
    assert cost_of(lots + 1, unit, fee) > budget


@st.composite
def goal_rules(draw):
    """Return rules under which many positions end at a take-profit."""
    goal = draw(st.integers(1, 20_000))
    return draw(plain_rules())._replace(take_profit=goal, minimum_lots=1, max_exposure=PPM)


@settings(max_examples=300)
@given(markets(), st.one_of(rule_sets(), goal_rules()))
def test_the_fee_of_every_fill_is_its_price_by_its_size_by_its_rate_rounded_up(market, rules):
    _, events, _ = walked(*market, rules)
    for fill in events[events["kind"] == Kind.FILL]:
        # Only what rests in the book pays as a maker: a take-profit.
        is_maker = fill["reason"] == Reason.TAKE_PROFIT
        rate = Fraction(rules.maker if is_maker else rules.taker, PPM)
        value = int(fill["tick"]) * abs(int(fill["lots"])) * rules.cash_per_tick_lot
        assert int(fill["fee"]) == math.ceil(value * rate)


@given(
    st.sampled_from(("0.1", "0.01", "0.5", "0.00001")),
    st.sampled_from(("1", "0.00000001", "0.0001", "0.1")),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.integers(0, 500),
)
def test_a_fee_in_money_is_the_least_amount_that_is_no_less_than_its_share(
    tick_size, lot_size, ticks, lots, tenths_bps
):
    units = Units.of(InstrumentSpec("TOY", Decimal(tick_size), Decimal(lot_size)))
    rate = Decimal(tenths_bps) / 100_000
    value = ticks * lots * units.cash_per_tick_lot
    fee = units.amount(share_up(value, int(rate * PPM)))
    exact = units.price(ticks) * units.quantity(lots) * rate
    assert exact <= fee < exact + units.cash
