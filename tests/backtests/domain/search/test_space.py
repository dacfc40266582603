"""Spaces of parameters: combinations by number, random ones by three numbers."""

from __future__ import annotations

import itertools
import json

import pytest

from backtests.domain.search.space import InvalidSpace, Space, space_of
from strategies.domain.params import Choice, Flag, Real, Whole

PARAMETERS = (
    Whole("fast", "Fast", 12, 1, 400, ""),
    Real("share", "Share", 0.5, 0.0, 1.0, ""),
    Choice("sides", "Sides", "long", ("long", "both"), ""),
    Flag("strict", "Strict", False, ""),
)


def test_the_last_axis_moves_fastest():
    space = space_of(PARAMETERS, {"fast": {"min": 5, "max": 9, "step": 2}, "sides": {}}, {})
    assert space.size == 6
    pairs = [tuple(space.at(number).values()) for number in range(6)]
    assert pairs == list(itertools.product((5, 7, 9), ("long", "both")))


def test_steps_of_fractions_are_what_people_write():
    space = space_of(PARAMETERS, {"share": {"min": 0, "max": 0.7, "step": 0.1}}, {})
    assert [space.at(number)["share"] for number in range(space.size)] == [
        0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7,
    ]  # fmt: skip


def test_a_billion_combinations_are_counted_and_not_made():
    axis = {"min": 1, "max": 400}
    names = [f"p{number}" for number in range(12)]
    parameters = [Whole(name, name, 1, 1, 400, "") for name in names]
    space = space_of(parameters, dict.fromkeys(names, axis), {})
    assert space.size == 400**12
    assert space.at(400**12 - 1) == dict.fromkeys(names, 400)


def test_what_stays_is_in_every_combination():
    space = space_of(PARAMETERS, {"fast": {"values": [3]}}, {"sides": "both"})
    assert space.at(0) == {"sides": "both", "fast": 3}


def test_random_parameters_follow_from_seed_and_number_alone():
    space = space_of(PARAMETERS, {"fast": {}, "share": {}, "sides": {}, "strict": {}}, {})
    drawn = [space.drawn(1, number) for number in range(200)]
    assert drawn[7] == space.drawn(1, 7) == space.drawn(1, 7, 0)
    assert drawn[7] != space.drawn(2, 7)
    assert drawn[7] != space.drawn(1, 7, 1)
    assert {one["sides"] for one in drawn} == {"long", "both"}
    assert {one["strict"] for one in drawn} == {True, False}
    assert all(1 <= one["fast"] <= 400 and 0 <= one["share"] < 1 for one in drawn)
    assert 150 < sum(one["fast"] for one in drawn) / 200 < 250


def test_json_gives_a_space_back():
    told = {"fast": {"min": 5, "max": 9}, "share": {}, "sides": {"values": ["both"]}}
    space = space_of(PARAMETERS, told, {"strict": True})
    assert Space.from_json(json.loads(json.dumps(space.as_json())), space.fixed) == space


@pytest.mark.parametrize(
    ("told", "field", "reason"),
    [
        ({}, "", "at least one"),
        ({"fats": {}}, "fats", "did you mean 'fast'"),
        ({"fast": 5}, "fast", "expected an object"),
        ({"fast": {"min": 9, "max": 5}}, "fast", "expected max to be min or more"),
        ({"fast": {"min": 0}}, "fast", "from 1 to 400"),
        ({"fast": {"step": 0}}, "fast", "a step above 0"),
        ({"fast": {"step": 0.5}}, "fast", "a whole step"),
        ({"fast": {"step": float("nan")}}, "fast", "a step above 0"),
        ({"fast": {"values": []}}, "fast", "1 to 1000 values"),
        ({"fast": {"values": [3, 3]}}, "fast", "twice"),
        ({"fast": {"values": [3], "min": 1}}, "fast", "not both"),
        ({"fast": {"upto": 3}}, "fast", "there is no 'upto'"),
        ({"share": {"max": float("inf")}}, "share", "finite"),
        ({"sides": {"min": 1}}, "sides", "there is no 'min'"),
        ({"sides": {"values": ["short"]}}, "sides", "no choice 'short'"),
    ],
)
def test_what_is_wrong_with_an_axis_is_told_by_its_name(told, field, reason):
    with pytest.raises(InvalidSpace) as refused:
        space_of(PARAMETERS, told, {})
    assert reason in refused.value.errors[field]


def test_nothing_is_searched_that_stays():
    with pytest.raises(InvalidSpace, match="searched and stay"):
        space_of(PARAMETERS, {"fast": {}}, {"fast": 3})
