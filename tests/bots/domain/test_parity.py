"""A replay comes to what a bot did half by half, and says where and why it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.market import MarketMinutes
from backtests.domain.records import Command
from backtests.domain.settings import Costs, Limits, Stops
from bots.domain.halves import CLOSE, OPENING, Place
from bots.domain.parity.comparing import Recorded, Worth, first_divergence
from bots.domain.parity.inputs import Given, Inputs
from bots.domain.parity.replay import Replayed, replay
from bots.domain.parity.verdicts import Cause, judge_known, judge_repaired
from bots.models import ParityReport
from marketdata.domain.columns import CandleColumns
from marketdata.domain.timeframe import Timeframe
from tests.backtests.domain.market import MINUTE
from tests.bots.domain.runs import changed, inputs_of, live, market, without

COSTLY = {"costs": Costs(Decimal(10), Decimal(8), Decimal(5))}
GUARDED: dict[str, Any] = {
    **COSTLY,
    "stops": Stops(Decimal("0.01"), Decimal("0.02"), Decimal("0.015"), 30),
    "limits": Limits(Decimal("0.5"), Decimal("0.2"), None, 3),
}


@dataclass(frozen=True)
class Twice:
    """Inputs lived through half by half, and replayed."""

    lived: Recorded
    replayed: Replayed

    @classmethod
    def of(cls, inputs: Inputs) -> Twice:
        return cls(live(inputs).recorded(), replay(inputs))

    @property
    def differences(self) -> list[str]:
        """What is not the same on both sides, by name."""
        times, equity = self.replayed.close_times.tolist(), self.replayed.equity.tolist()
        worths = [Worth(*row) for row in zip(times, equity, strict=True)]
        equal = {
            "trades": first_divergence(self.lived, self.replayed) is None,
            "equity": self.lived.worths == worths,
            "decisions": list(self.lived.decisions) == list(self.replayed.decisions),
        }
        return [name for name, is_equal in equal.items() if not is_equal]


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.M15])
@pytest.mark.parametrize("trading", [{}, COSTLY, GUARDED])
def test_a_replay_is_what_was_lived_half_by_half(timeframe, trading):
    inputs = inputs_of(market(3000), timeframe=timeframe, start=120, **trading)

    twice = Twice.of(inputs)
    assert twice.differences == []
    assert len(twice.lived.fills) > 20


@settings(max_examples=60)
@given(data=st.data())
def test_a_replay_knows_whatever_befell_a_run(data):
    count = 240
    left_out = data.draw(st.sets(st.integers(30, 200)))
    candles = without(market(count, data.draw(st.integers(0, 5))), *left_out)
    minutes = st.integers(60, count + 2)
    until = Place(data.draw(st.integers(200, count)) * MINUTE, data.draw(st.integers(0, 1)))
    places = sorted(
        Place(minute * MINUTE, phase)
        for minute, phase in data.draw(st.lists(st.tuples(minutes, st.integers(0, 1)), max_size=6))
    )
    ticks = st.one_of(st.just(0), st.integers(300, 500))
    commands = tuple(
        Given(place, data.draw(st.sampled_from(Command)).value, data.draw(ticks))
        for place in places
        if place <= until
    )
    openings = {
        minute * MINUTE: tick
        for minute, tick in data.draw(
            st.dictionaries(minutes, st.integers(300, 500), max_size=20)
        ).items()
    }
    inputs = inputs_of(
        candles,
        timeframe=data.draw(st.sampled_from((Timeframe.M1, Timeframe.M5))),
        start=60,
        until=until,
        openings=openings,
        opened=tuple(time for time in openings if time // MINUTE in left_out),
        missed=tuple(minute * MINUTE for minute in data.draw(st.sets(minutes, max_size=10))),
        commands=commands,
        **data.draw(st.sampled_from(({}, COSTLY, GUARDED))),
    )

    assert Twice.of(inputs).differences == []


def rising_then_falling() -> CandleColumns:
    """Return 60 minutes: up for 20 from minute 20 on, then down, two ticks a minute."""
    candles = market(60, quiet=0)
    for index in range(60):
        price = 200.0 + max(0, min(index, 40) - 20) - 2 * max(0, index - 40)
        figures = {"open": price, "high": price, "low": price, "close": price}
        candles = changed(candles, index, **figures)
    return candles


def test_a_fill_that_was_not_recorded_is_the_first_divergence_with_both_sides_numbers():
    inputs = inputs_of(rising_then_falling())
    lived = live(inputs).recorded()
    lost = lived.fills.pop(0)

    verdict = judge_known(lived, inputs, None)

    assert verdict.cause is Cause.FAULT
    assert verdict.divergence is not None
    assert (verdict.divergence.time_ms, verdict.divergence.what) == (lost.time_ms, "fill")
    assert verdict.divergence.recorded is None
    assert verdict.divergence.replayed == lost._asdict()


def test_a_fill_at_another_price_is_told_with_both_prices():
    inputs = inputs_of(rising_then_falling())
    lived = live(inputs).recorded()
    lived.fills[0] = lived.fills[0]._replace(tick=7)

    divergence = judge_known(lived, inputs, None).divergence

    assert divergence is not None
    assert divergence.recorded
    assert divergence.replayed
    assert divergence.recorded["tick"] == 7
    assert divergence.replayed["tick"] == 404


def test_what_moved_since_explains_a_divergence_and_an_equal_replay_needs_no_explanation():
    inputs = inputs_of(rising_then_falling())
    lived = live(inputs).recorded()

    assert judge_known(lived, inputs, Cause.ENGINE).divergence is None
    lived.fills.pop()
    assert judge_known(lived, inputs, Cause.ENGINE).cause is Cause.ENGINE
    assert judge_known(lived, inputs, Cause.CONFIGURATION).cause is Cause.CONFIGURATION


def test_an_account_that_ends_otherwise_is_told_field_by_field():
    inputs = inputs_of(rising_then_falling())
    lived = live(inputs).recorded()
    assert lived.last is not None
    lived.last["fees"] = 5

    divergence = judge_known(lived, inputs, None).divergence

    assert divergence is not None
    assert (divergence.what, divergence.recorded, divergence.replayed) == (
        "account",
        {"fees": 5},
        {"fees": 0},
    )


def test_an_equity_that_was_thinned_away_is_not_missed_and_a_wrong_one_is_found():
    inputs = inputs_of(rising_then_falling())
    lived = live(inputs).recorded()
    kept = lived.worths[::7]

    assert judge_known(replace(lived, worths=kept), inputs, None).divergence is None
    wrong = [*kept[:3], kept[3]._replace(equity=1), *kept[4:]]
    divergence = judge_known(replace(lived, worths=wrong), inputs, None).divergence
    assert divergence is not None
    assert divergence.time_ms == kept[3].close_ms


def repaired(inputs: Inputs, candles: CandleColumns) -> Any:
    """Return the verdict over `candles` of a run that was lived with other ones."""
    lived = live(inputs).recorded()
    known = judge_known(lived, inputs, None)
    assert known.divergence is None
    minutes = MarketMinutes.of(candles, inputs.engine.units)
    return judge_repaired(lived, inputs, minutes, known)


def test_over_the_same_candles_both_verdicts_agree():
    candles = rising_then_falling()

    assert repaired(inputs_of(candles), candles).divergence is None


def test_a_revised_candle_is_the_cause_of_what_it_changes():
    candles = rising_then_falling()
    verdict = repaired(inputs_of(candles), changed(candles, 22, open=204, high=206, low=201))

    assert verdict.cause is Cause.REVISED
    assert verdict.divergence.time_ms == 22 * MINUTE


def test_a_revised_candle_that_changes_no_trade_matters_to_nobody():
    candles = rising_then_falling()

    assert repaired(inputs_of(candles), changed(candles, 30, high=250.0)).divergence is None


def test_a_candle_that_was_left_out_and_inserted_later_is_the_cause():
    candles = rising_then_falling()
    verdict = repaired(inputs_of(without(candles, 22)), candles)

    assert verdict.cause is Cause.INSERTED
    assert verdict.divergence.time_ms == 22 * MINUTE


def test_a_decision_that_came_too_late_is_the_cause():
    candles = rising_then_falling()
    verdict = repaired(inputs_of(candles, missed=(22 * MINUTE,)), candles)

    assert verdict.cause is Cause.LATE
    assert verdict.divergence.replayed["time_ms"] == 22 * MINUTE
    assert verdict.divergence.recorded is None


def test_an_opening_that_was_not_the_first_trade_after_all_counts_as_revised():
    candles = rising_then_falling()
    inputs = inputs_of(candles, openings={22 * MINUTE: 410})

    assert repaired(inputs, candles).cause is Cause.REVISED


def test_commands_are_inputs_of_both_verdicts():
    candles = rising_then_falling()
    flatten = Given(Place(30 * MINUTE, CLOSE), int(Command.FLATTEN), 420)
    inputs = inputs_of(candles, commands=(flatten,))

    assert 30 * MINUTE in [fill.time_ms for fill in live(inputs).recorded().fills]
    assert repaired(inputs, candles).divergence is None


def test_a_run_in_the_middle_of_a_minute_ends_with_its_opening():
    candles = rising_then_falling()
    inputs = inputs_of(candles, until=Place(22 * MINUTE, CLOSE), openings={22 * MINUTE: 404})

    whole = Twice.of(inputs)
    assert (whole.differences, len(whole.lived.fills)) == ([], 1)
    before = Twice.of(replace(inputs, until=Place(22 * MINUTE, OPENING)))
    assert (before.differences, len(before.lived.fills)) == ([], 0)


def test_the_causes_are_those_that_reports_name():
    assert [cause.value for cause in Cause] == ParityReport.Cause.values
