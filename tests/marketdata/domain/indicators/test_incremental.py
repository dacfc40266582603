"""An indicator computed a few candles at a time has the same bits as over all of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators import (
    INDICATORS,
    Indicator,
    IndicatorState,
    advance,
    begin,
    compute,
)
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import wandering, without

# Short enough for many prefixes beyond every warm-up, with a gap that is walked over and one that
# is not.
CANDLES = without(without(wandering(400), 330, 350), 120, 124)
SHORT = {
    "period": 5,
    "fast": 3,
    "slow": 6,
    "signal": 4,
    "smoothing": 2,
    "hours": 1,
    "ddof": 1,
    "deviations": 1.5,
}

every_indicator = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=list(INDICATORS))


def short(indicator):
    return {each.name: SHORT[each.name] for each in indicator.parameters}


def whole(indicator, params):
    return compute(indicator, CANDLES, params, step_ms=MINUTE_MS)


def walked(indicator, params, cuts):
    """Return the outputs over CANDLES handed in pieces, the state stored between them."""
    state, pieces = begin(indicator, params), []
    for piece in np.split(CANDLES, cuts):
        outputs, state = advance(indicator, piece, params, stored(state), step_ms=MINUTE_MS)
        pieces.append(outputs)
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def stored(state):
    return IndicatorState.from_json(json.loads(json.dumps(state.as_json(), allow_nan=False)))


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].tobytes() == values.tobytes(), name


@every_indicator
@pytest.mark.parametrize("is_short", [True, False], ids=["short", "default"])
def test_candle_by_candle_every_prefix_has_the_same_bits(indicator: Indicator, is_short):
    params = short(indicator) if is_short else {}
    expected = whole(indicator, params)
    found = walked(indicator, params, range(1, len(CANDLES)))

    assert_same_bits(found, expected)
    assert np.isfinite(expected[indicator.outputs[0]]).sum() > 100


@given(st.data())
@settings(max_examples=60)
def test_any_cutting_into_pieces_gives_the_same_bits(data):
    indicator = data.draw(st.sampled_from(list(INDICATORS.values())))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(CANDLES)), max_size=12)))
    assert_same_bits(walked(indicator, short(indicator), cuts), whole(indicator, short(indicator)))


@every_indicator
def test_every_prefix_alone_gives_the_beginning_of_the_whole(indicator: Indicator):
    expected = whole(indicator, short(indicator))
    for length in range(0, len(CANDLES), 7):
        prefix = compute(indicator, CANDLES[:length], short(indicator), step_ms=MINUTE_MS)
        assert_same_bits(prefix, {name: column[:length] for name, column in expected.items()})


@every_indicator
def test_a_state_is_a_value_that_can_be_gone_on_from_twice(indicator: Indicator):
    _, state = advance(indicator, CANDLES[:100], {}, begin(indicator, {}), step_ms=MINUTE_MS)
    before = state.values.tobytes()
    first, _ = advance(indicator, CANDLES[100:110], {}, state, step_ms=MINUTE_MS)
    second, _ = advance(indicator, CANDLES[100:110], {}, state, step_ms=MINUTE_MS)

    assert state.values.tobytes() == before
    assert_same_bits(first, second)


@every_indicator
def test_no_candles_change_no_state(indicator: Indicator):
    _, state = advance(indicator, CANDLES[:100], {}, begin(indicator, {}), step_ms=MINUTE_MS)
    outputs, after = advance(indicator, CANDLES[:0], {}, state, step_ms=MINUTE_MS)

    assert {len(values) for values in outputs.values()} == {0}
    assert after.as_json() == state.as_json()


def test_a_state_of_other_parameters_is_refused():
    sma = INDICATORS["sma"]
    with pytest.raises(InvalidIndicator, match=r"expected a state of 54 numbers for sma .* has 24"):
        advance(sma, CANDLES, {"period": 50}, begin(sma, {"period": 20}), step_ms=MINUTE_MS)
