"""What a group decided, stored and found again."""

from __future__ import annotations

import json

import numpy as np

from backtests.domain.records import PPM, UNCHANGED
from bots.domain.grouping import KEPT, Decided, GroupKey, joined_seen, ordered_params
from marketdata.domain.timeframe import Timeframe
from tests.backtests.domain.market import MINUTE
from tests.bots.domain.test_folding import STILL, line_of, table

KEY = GroupKey(1, Timeframe.M5, "ema_crossover", '{"fast": 3}', "ab", 0)


def test_a_group_is_one_strategy_with_one_set_of_parameters_over_the_same_candles():
    assert ordered_params({"b": 1, "a": 2}) == ordered_params({"a": 2, "b": 1})
    others = [
        GroupKey(2, *_rest(KEY)[1:]),
        GroupKey(1, Timeframe.M1, *_rest(KEY)[2:]),
        GroupKey(*_rest(KEY)[:3], '{"fast": 4}', "ab", 0),
        GroupKey(*_rest(KEY)[:4], "cd", 0),
        GroupKey(*_rest(KEY)[:5], 60_000),
    ]
    assert len({KEY.digest, *(one.digest for one in others)}) == 6


def _rest(key):
    return (
        key.instrument_id,
        key.timeframe,
        key.strategy,
        key.params,
        key.source_hash,
        key.anchor_ms,
    )


def test_equal_decisions_that_follow_each_other_are_kept_as_one():
    decided = Decided(Timeframe.M5)
    for number, target in enumerate((UNCHANGED, UNCHANGED, PPM, PPM, 0), 1):
        decided.add(number * 5 * MINUTE, target, {"ema": float(number)})
    assert [one[:3] for one in decided.as_json()] == [
        [5 * MINUTE, 10 * MINUTE, None],
        [15 * MINUTE, 20 * MINUTE, PPM],
        [25 * MINUTE, 25 * MINUTE, 0],
    ]
    stored = Decided.from_json(Timeframe.M5, json.loads(json.dumps(decided.as_json())))
    targets = stored.targets(line_of(table(*[STILL] * 26)))
    assert {int(at): int(targets[at]) for at in np.flatnonzero(targets != UNCHANGED)} == {
        14: PPM,
        19: PPM,
        24: 0,
    }
    assert stored.why(20 * MINUTE) == {"ema": 3.0}
    assert decided.why(25 * MINUTE) == {"ema": 5.0}


def test_the_newest_decision_keeps_its_own_why_where_it_repeats_others():
    decided = Decided(Timeframe.M5)
    for number in range(1, 5):
        decided.add(number * 5 * MINUTE, PPM, {"ema": float(number)})
        decided = Decided.from_json(Timeframe.M5, json.loads(json.dumps(decided.as_json())))
        assert decided.why(number * 5 * MINUTE) == {"ema": float(number)}
    assert len(decided.stretches) == 1
    assert decided.why(10 * MINUTE) == {"ema": 1.0}


def test_a_candle_without_a_decision_parts_equal_ones():
    decided = Decided(Timeframe.M1)
    decided.add(MINUTE, PPM, {})
    decided.add(3 * MINUTE, PPM, {})
    targets = decided.targets(line_of(table(*[STILL] * 3)))
    assert targets.tolist() == [PPM, UNCHANGED, PPM]


def test_decisions_before_the_timeline_begins_keep_their_places():
    decided = Decided(Timeframe.M5)
    for number in range(1, 5):
        decided.add(number * 5 * MINUTE, PPM, {})
    columns = table(*[STILL] * 12)
    columns["times"] = columns["times"] + 7 * MINUTE
    targets = decided.targets(line_of(columns, first=7 * MINUTE))
    assert np.flatnonzero(targets == PPM).tolist() == [2, 7]


def test_a_group_knows_how_far_back_it_remembers():
    decided = Decided(Timeframe.M1)
    for number in range(1, KEPT + 3):
        decided.add(number * MINUTE, PPM * (number % 2), {})
    stored = Decided.from_json(Timeframe.M1, decided.as_json())
    assert not stored.reaches_back_to(2 * MINUTE)
    assert stored.reaches_back_to(3 * MINUTE)


def test_what_was_seen_is_told_in_stretches():
    told = joined_seen([[0, 2, -1]], [[2 * MINUTE, 1, -1], [3 * MINUTE, 1, 1]])
    assert told == [[0, 3, -1], [3 * MINUTE, 1, 1]]


def test_decisions_told_at_once_are_what_they_are_one_by_one():
    targets = np.array([UNCHANGED, 0, 0, PPM, PPM, PPM, 0, PPM])
    # A candle is missing between the fifth and the sixth.
    closes = np.array([1, 2, 3, 4, 5, 7, 8, 9]) * 5 * MINUTE
    one_by_one = Decided(Timeframe.M5)
    for number, (close_ms, target) in enumerate(zip(closes, targets, strict=True)):
        one_by_one.add(int(close_ms), int(target), {"ema": float(number)})
    at_once = Decided.of(Timeframe.M5, closes, targets, lambda number: {"ema": float(number)})
    assert at_once == one_by_one
    assert [one.why["ema"] for one in at_once.stretches] == [0, 1, 3, 5, 6, 7]
    nothing = np.empty(0, np.int64)
    assert Decided.of(Timeframe.M5, nothing, nothing, lambda _: {}) == Decided(Timeframe.M5)
