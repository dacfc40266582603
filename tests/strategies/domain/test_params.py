"""Parameters: what is accepted, and how everything else is refused."""

import jsonschema
import pytest

from strategies.domain.errors import InvalidParameters, UnknownStrategy
from strategies.domain.params import (
    Choice,
    Flag,
    Real,
    Whole,
    as_json,
    from_json,
    params_schema,
    parse,
    resolve,
)
from strategies.domain.registry import STRATEGIES, create_strategy, find_strategy

PERIOD = Whole("period", "Period", 14, 2, 200, "Candles.")
LEVEL = Real("level", "Level", 0.5, 0.0, 1.0, "A share.")
MODE = Choice("mode", "Mode", "slow", ("slow", "quick"), "How.")
STRICT = Flag("strict", "Strict", False, "Whether.")
ALL = (PERIOD, LEVEL, MODE, STRICT)


def test_what_is_left_out_has_its_default():
    assert resolve(ALL, {}) == {"period": 14, "level": 0.5, "mode": "slow", "strict": False}


def test_a_whole_number_may_come_as_a_float_and_a_real_one_as_a_whole():
    values = resolve(ALL, {"period": 20.0, "level": 1})
    assert (values["period"], values["level"]) == (20, 1.0)
    assert (type(values["period"]), type(values["level"])) == (int, float)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"period": 1}, "period: expected a number from 2 to 200; was 1"),
        ({"period": 2.5}, "period: expected a whole number; was 2.5"),
        ({"period": True}, "period: expected a number; was True"),
        ({"period": "14"}, "period: expected a number; was '14'"),
        ({"period": None}, "period: expected a number; was None"),
        ({"period": float("nan")}, "period: expected a finite number; was nan"),
        ({"level": float("inf")}, "level: expected a finite number; was inf"),
        ({"level": 1.5}, "level: expected a number from 0 to 1; was 1.5"),
        ({"level": [1]}, "level: expected a number; was [1]"),
        ({"mode": "quik"}, "mode: there is no choice 'quik'; did you mean 'quick'?"),
        ({"mode": 7}, "mode: there is no choice 7; expected one of slow, quick"),
        ({"strict": 1}, "strict: expected true or false; was 1"),
        ({"perod": 3}, "perod: there is no such parameter; did you mean 'period'?"),
    ],
)
def test_a_wrong_value_is_refused_with_its_reason(given, reason):
    with pytest.raises(InvalidParameters) as refused:
        resolve(ALL, given)
    assert str(refused.value) == reason


def test_a_number_beyond_all_floats_is_refused():
    with pytest.raises(InvalidParameters, match="from 2 to 200"):
        resolve(ALL, {"period": 10**400})


def test_every_wrong_parameter_is_named_not_only_the_first():
    with pytest.raises(InvalidParameters) as refused:
        resolve(ALL, {"period": 0, "mode": "x", "other": 1})
    assert set(refused.value.errors) == {"period", "mode", "other"}


def test_parameters_survive_json():
    assert [from_json(as_json(parameter)) for parameter in ALL] == list(ALL)


def test_texts_become_what_they_mean():
    texts = {"period": "20", "level": " 0.25 ", "mode": "quick", "strict": "true", "other": "1"}
    assert parse(ALL, texts) == {
        "period": 20,
        "level": 0.25,
        "mode": "quick",
        "strict": True,
        "other": "1",
    }


def test_a_text_that_is_no_number_is_refused_as_it_was_typed():
    with pytest.raises(InvalidParameters, match="expected a number; was 'ten'"):
        resolve(ALL, parse(ALL, {"period": "ten"}))


@pytest.mark.parametrize("key", STRATEGIES)
def test_the_schema_accepts_the_defaults_and_refuses_what_the_strategy_refuses(key):
    strategy = STRATEGIES[key]
    schema = params_schema(strategy.parameters)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(resolve(strategy.parameters, {}), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"unheard_of": 1}, schema)


@pytest.mark.parametrize(
    ("key", "params", "field"),
    [
        ("ema_crossover", {"fast": 26, "slow": 12}, "fast"),
        ("ema_crossover", {"fast": 12, "slow": 12}, "fast"),
        ("macd", {"fast": 30}, "fast"),
        ("rsi", {"oversold": 70, "overbought": 30}, "oversold"),
        ("trend_filter", {"fast": 50}, "fast"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(key, params, field):
    with pytest.raises(InvalidParameters) as refused:
        create_strategy(key, params)
    assert set(refused.value.errors) == {field}


def test_the_longer_timeframe_must_be_longer_than_the_strategys():
    with pytest.raises(
        InvalidParameters, match="expected a timeframe above the strategy's own, 4h"
    ):
        create_strategy("trend_filter", {"higher": "1h"}, "4h")


def test_an_unknown_strategy_is_answered_with_the_nearest():
    with pytest.raises(UnknownStrategy) as refused:
        find_strategy("ema_crosover")
    assert str(refused.value) == (
        "there is no strategy 'ema_crosover'; did you mean 'ema_crossover'?"
    )
    with pytest.raises(UnknownStrategy, match="expected one of ema_crossover, macd, rsi"):
        find_strategy("zzz")
