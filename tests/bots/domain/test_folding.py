"""A bot folded over its minutes, whatever the splits, is the backtest over them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.records import (
    PPM,
    STATE,
    UNCHANGED,
    Command,
    Kind,
    Reason,
    new_state,
)
from bots.domain.booking import Books
from bots.domain.halves import CLOSE, OPENING, Halves, Place
from bots.domain.portfolio import VirtualPortfolio
from bots.domain.stepping import (
    Account,
    next_edge,
    obeyed,
    reach,
    stepped,
)
from bots.domain.timeline import LEFT_OUT, Timeline
from marketdata.domain.timeframe import Timeframe
from tests.backtests.domain.kernel import MINUTE, PLAIN
from tests.backtests.domain.test_execution_properties import markets, rule_sets, walked

CASH = 500_000


def line_of(columns, *, missing=(), opened=(), revisions=None, first=0):
    """Return a timeline of candle columns; `opened` are further first trades, by index."""
    size = len(columns["times"])
    is_closed = np.ones(size, np.bool_)
    is_closed[list(missing)] = False
    is_open = columns["traded"] & is_closed
    opens = columns["opens"].copy()
    for index, tick in dict(opened).items():
        is_open[index], opens[index] = True, tick
    halves = Halves(
        columns["times"],
        is_open,
        is_closed,
        opens,
        *(columns[name] for name in ("highs", "lows", "closes")),
    )
    seen = np.zeros(size, np.int64) if revisions is None else np.array(revisions)
    return Timeline(first, halves, seen, size, np.empty(0, np.int64))


def folded(account, rules, line, targets, cuts=()):
    """Step through all minutes, stopping before each of `cuts` and storing the record."""
    steps = []
    for _, end in pairwise((0, *cuts, line.length)):
        until = reach(line, account.place, Timeframe.M1, None)._replace(edge=end)
        step = stepped(account, rules, line, targets, until)
        steps.append(step)
        stored = np.frombuffer(step.after.state.tobytes(), STATE).copy()
        account = Account(step.after.place, stored)
    return steps


@given(markets(), rule_sets(), st.data())
@settings(max_examples=60)
def test_any_split_of_the_minutes_gives_what_the_backtest_gives(market, rules, data):
    columns, targets = market
    size = len(targets)
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=6)))
    state, events, equity = walked(columns, targets, rules)
    steps = folded(
        Account(Place(0, OPENING), new_state(CASH)), rules, line_of(columns), targets, cuts
    )
    told = np.concatenate([step.events for step in steps])
    marks = np.concatenate([step.marks for step in steps])
    is_halted = steps[-1].is_over
    if is_halted:
        # The run of a bot ends where it is halted and flat; nothing happens to it afterwards.
        assert events[: len(told)].tobytes() == told.tobytes()
        assert all(event["kind"] != Kind.FILL for event in events[len(told) :])
    else:
        assert told.tobytes() == events.tobytes()
        assert marks["equity"].tolist() == equity.tolist()
        assert steps[-1].after.state.tobytes() == state.tobytes()


@given(markets(), rule_sets(), st.data())
@settings(max_examples=60)
def test_books_add_up_to_the_kernels_account_and_every_order_ends(market, rules, data):
    columns, targets = market
    cuts = sorted(data.draw(st.lists(st.integers(0, len(targets)), max_size=4)))
    line = line_of(columns)
    steps = folded(Account(Place(0, OPENING), new_state(CASH)), rules, line, targets, cuts)
    books = Books(VirtualPortfolio.opened(CASH, rules.cash_per_tick_lot), None)
    for step in steps:
        books.take(step)
        after = step.after.state[0]
        assert (books.portfolio.cash, books.portfolio.lots) == (after["cash"], after["lots"])
        assert books.portfolio.fees == after["fees"]
    after = steps[-1].after.state[0]
    portfolio, tick = books.portfolio, int(after["last_tick"])
    assert portfolio.equity(tick) == (
        CASH + portfolio.realised + portfolio.unrealised(tick) - portfolio.fees
    )
    assert (portfolio.cost == 0) or portfolio.lots
    waiting = [order for order in books.orders if order.state == "waiting"]
    assert len(waiting) == (after["order_reason"] != Reason.NONE)
    filled = {id(order) for order, _ in books.fills}
    assert filled == {id(order) for order in books.orders if order.state == "filled"}


def table(*rows):
    """Return columns of (open, high, low, close); None stands for a minute without a trade."""
    closes, made = 100, []
    for row in rows:
        made.append((False, closes, closes, closes, closes) if row is None else (True, *row))
        closes = made[-1][-1]
    names = ("traded", "opens", "highs", "lows", "closes")
    columns = {
        name: np.array(values) for name, values in zip(names, zip(*made, strict=True), strict=True)
    }
    return {**columns, "times": np.arange(len(made), dtype=np.int64) * MINUTE}


def decided(size, **at):
    """Return targets by the number of the minute with which they were decided."""
    targets = np.full(size, UNCHANGED)
    for name, target in at.items():
        targets[int(name.removeprefix("m"))] = target
    return targets


def fills(steps):
    return [
        (int(event["time_ms"]) // MINUTE, int(event["lots"]), int(event["tick"]))
        for step in steps
        for event in step.events
        if event["kind"] == Kind.FILL
    ]


def start(cash=1000):
    return Account(Place(0, OPENING), new_state(cash))


STILL = (100, 100, 100, 100)


def test_an_order_fills_at_the_first_trade_that_was_known_not_at_the_candles_open():
    columns = table(STILL, (100, 105, 100, 104), STILL)
    line = line_of(columns, opened={1: 102})
    assert fills(folded(start(1020), PLAIN, line, decided(3, m0=PPM))) == [(1, 10, 102)]


def test_a_stop_inside_a_minute_fills_within_it_and_a_jumped_one_at_the_first_trade():
    rules = PLAIN._replace(stop_loss=100_000)
    within = table(STILL, STILL, (100, 100, 85, 95))
    assert fills(folded(start(), rules, line_of(within), decided(3, m0=PPM)))[1] == (2, -10, 90)
    jumped = line_of(table(STILL, STILL, (95, 96, 80, 84)), opened={2: 84})
    assert fills(folded(start(), rules, jumped, decided(3, m0=PPM)))[1] == (2, -10, 84)


def test_minutes_without_a_trade_fill_nothing_and_the_order_waits_one_timeframe():
    rules = PLAIN._replace(timeframe_ms=2 * MINUTE)
    steps = folded(
        start(), rules, line_of(table(STILL, None, (99, 99, 99, 99))), decided(3, m0=PPM)
    )
    assert fills(steps) == [(2, 10, 99)]
    late = folded(start(), PLAIN, line_of(table(STILL, None, None, STILL)), decided(4, m0=PPM))
    assert fills(late) == []
    books = Books(VirtualPortfolio.opened(1000, 1), None)
    books.take(late[0])
    assert [(one.state, one.outcome) for one in books.orders] == [("cancelled", "no_trade")]


def test_an_entry_that_is_decided_too_late_is_missed_and_an_exit_is_not():
    line, targets = line_of(table(*[STILL] * 5)), decided(5, m0=PPM, m2=0, m3=PPM)
    until = reach(line, Place(0, OPENING), Timeframe.M1, None)
    late = until._replace(now_ms=2 * MINUTE, max_entry_age_ms=MINUTE // 2)
    step = stepped(start(), PLAIN, line, targets, late)
    assert [(one.close_ms // MINUTE, one.is_missed) for one in step.decisions] == [
        (1, True),
        (3, False),
        (4, False),
    ]
    assert fills([step]) == [(4, 10, 100)]


def test_a_minute_left_out_does_what_is_known_of_it_and_is_told():
    columns = table(STILL, STILL, STILL)
    line = line_of(columns, missing=[1], opened={1: 101}, revisions=[0, LEFT_OUT, 2])
    step = folded(start(1010), PLAIN, line, decided(3, m0=PPM))[0]
    assert fills([step]) == [(1, 10, 101)]
    assert step.seen == ((MINUTE, LEFT_OUT), (2 * MINUTE, 2))
    assert step.closes_ms.tolist() == [MINUTE, 3 * MINUTE]


def test_a_bot_opens_a_minute_whose_candle_is_not_known_yet_and_closes_it_later():
    columns = table(STILL, (103, 103, 103, 103))
    open_line = line_of(columns, missing=[1], opened={1: 103})
    waiting = Timeline(0, open_line.halves, open_line.revisions, 1, open_line.holes)
    until = reach(waiting, Place(0, OPENING), Timeframe.M1, None)
    opened = stepped(start(1030), PLAIN, waiting, decided(2, m0=PPM), until)
    assert (opened.after.place, fills([opened])) == (Place(MINUTE, CLOSE), [(1, 10, 103)])
    line = line_of(columns)
    closed = stepped(
        opened.after,
        PLAIN,
        line,
        decided(2, m0=PPM),
        reach(line, opened.after.place, Timeframe.M1, None),
    )
    assert (closed.after.place, len(closed.events)) == (Place(2 * MINUTE, OPENING), 0)
    assert closed.marks["equity"].tolist() == [1030]


def test_a_bot_waits_for_its_groups_decision_before_it_closes_the_candle():
    line = line_of(table(*[STILL] * 11))
    five = reach(line, Place(0, OPENING), Timeframe.M5, 5 * MINUTE)
    step = stepped(start(), PLAIN, line, decided(11), five)
    assert step.after.place == Place(9 * MINUTE, CLOSE)
    assert reach(line, Place(0, OPENING), Timeframe.M5, 10 * MINUTE).settled == 11


def test_an_order_from_outside_fills_at_the_last_trade_or_waits_for_the_next_open():
    line = line_of(table(STILL, STILL, (90, 90, 90, 90)))
    until = reach(line, Place(0, OPENING), Timeframe.M1, None)._replace(edge=2)
    held = stepped(start(), PLAIN, line, decided(3, m0=PPM), until).after
    at_once = obeyed(held, PLAIN, Command.FLATTEN, 95)
    assert fills([at_once]) == [(2, -10, 95)]
    waits = obeyed(held, PLAIN, Command.HALT, 0)
    assert (fills([waits]), len(waits.made)) == ([], 1)
    later = stepped(
        waits.after, PLAIN, line, decided(3), reach(line, waits.after.place, Timeframe.M1, None)
    )
    assert (fills([later]), later.is_over) == ([(2, -10, 90)], True)
    assert later.after.place == Place(2 * MINUTE, CLOSE)


def test_an_edit_takes_effect_at_the_edge_of_a_candle():
    assert next_edge(Place(0, OPENING), Timeframe.M5) == 0
    assert next_edge(Place(0, CLOSE), Timeframe.M5) == 5 * MINUTE
    assert next_edge(Place(4 * MINUTE, CLOSE), Timeframe.M5) == 5 * MINUTE
    line = line_of(table(*[STILL] * 8))
    until = reach(line, Place(MINUTE, OPENING), Timeframe.M5, None, edge_ms=5 * MINUTE)
    step = stepped(Account(Place(MINUTE, OPENING), new_state(1000)), PLAIN, line, decided(8), until)
    assert step.after.place == Place(5 * MINUTE, OPENING)


def test_many_events_find_room():
    size = 400
    columns = table(*[STILL] * size)
    targets = np.where(np.arange(size) % 2 == 0, PPM, 0)
    steps = folded(start(), PLAIN, line_of(columns), targets)
    assert len(fills(steps)) == size - 1
    assert len(steps[0].made) == size
