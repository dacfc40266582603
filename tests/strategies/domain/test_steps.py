"""A target made a candle at a time has the bits of the one made of all candles at once."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.markets import made_up
from strategies.domain.registry import STRATEGIES, create_strategy
from strategies.domain.stepping import begin_uses
from strategies.domain.uses import Use
from tests.strategies.domain.builders import series

CASES = [
    *((key, {}, "1m") for key in STRATEGIES),
    *((key, {"sides": "both"}, "15m") for key in STRATEGIES if key != "buy_and_hold"),
    ("trend_filter", {"higher": "5m", "trend": 3, "fast": 2, "slow": 5}, "1m"),
    ("trend_filter", {"higher": "4h", "trend": 5}, "15m"),
    ("donchian_breakout", {"entry": 2, "exit": 1}, "1m"),
]


def stepped(strategy, candles):
    state, targets = strategy.begin(), []
    for index in range(len(candles)):
        candle = Series(candles.timeframe, candles.spec, candles.rows[index : index + 1])
        before = json.dumps(state)
        after, target = strategy.step(state, candle)
        assert json.dumps(state) == before
        state = json.loads(json.dumps(after, allow_nan=False))
        targets.append(target)
    return np.array(targets)


@pytest.mark.parametrize(("key", "params", "timeframe"), CASES)
def test_steps_equal_the_whole_on_every_prefix(key, params, timeframe):
    candles = made_up(3_000, Timeframe(timeframe), seed=7)
    strategy = create_strategy(key, params, timeframe)
    whole = strategy.process_data(candles)
    assert np.array_equal(stepped(strategy, candles), whole, equal_nan=True)
    assert (~np.isnan(whole)).sum() > 100


@settings(max_examples=20)
@given(
    key=st.sampled_from(list(STRATEGIES)),
    closes=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    gaps=st.lists(st.sampled_from([1, 1, 1, 1, 2, 5, 11, 12]), min_size=60, max_size=60),
)
def test_steps_equal_the_whole_whatever_is_missing(key, closes, gaps):
    quick = {
        "ema_crossover": {"fast": 1, "slow": 2},
        "macd": {"fast": 1, "slow": 2, "signal": 2},
        "rsi": {"period": 2},
        "bollinger_breakout": {"period": 2, "deviations": 0.5},
        "donchian_breakout": {"entry": 2, "exit": 1},
        "trend_filter": {"higher": "5m", "trend": 2, "fast": 1, "slow": 2},
        "buy_and_hold": {},
    }
    candles = series(closes, places=np.cumsum(gaps[: len(closes)]))
    strategy = create_strategy(key, quick[key], "1m")
    whole = strategy.process_data(candles)
    assert np.array_equal(stepped(strategy, candles), whole, equal_nan=True)


@pytest.mark.parametrize("key", STRATEGIES)
def test_the_state_stays_small(key):
    strategy, candles = create_strategy(key), made_up(300, Timeframe.M1)
    state = strategy.begin()
    for index in range(len(candles)):
        candle = Series(candles.timeframe, candles.spec, candles.rows[index : index + 1])
        state, _ = strategy.step(state, candle)
    assert len(json.dumps(state)) < 2_000


def test_steps_of_a_longer_timeframe_refuse_what_needs_volume():
    use = Use("obv", {"obv": "obv"}, timeframe=Timeframe.H1)
    with pytest.raises(ValueError, match="obv needs volume"):
        begin_uses([use])
