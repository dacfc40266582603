"""The proofs: planted look-aheads and short warm-ups are found, the built-ins pass."""

import numpy as np
import pytest

from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.base import BaseStrategy, SteppingStrategy
from strategies.domain.builtin.ema_crossover import EmaCrossover
from strategies.domain.checks import (
    WrongTargets,
    candles_wanted,
    prove,
    prove_no_look_ahead,
    prove_steps,
    prove_warmup,
)
from strategies.domain.markets import made_up
from strategies.domain.params import Whole
from strategies.domain.registry import STRATEGIES, create_strategy
from tests.effort import spent_here_s


class Planted(BaseStrategy):
    """A strategy of a few lines."""

    key = title = source = "planted"
    needs = 50

    @property
    def warmup(self):
        return self.needs


class Shifted(Planted):
    """Knows the close of the next candle."""

    def process_data(self, candles):
        after = np.append(candles.close[1:], np.nan)
        return np.where(after > candles.close, 1.0, 0.0)


class Normalised(Planted):
    """Compares with the mean of the whole series."""

    def process_data(self, candles):
        score = (candles.close - candles.close.mean()) / candles.close.std()
        return np.where(score > 0, 1.0, 0.0)


class JoinedOnOpenTime(Planted):
    """Reads an hour's close from the hour's first minute on."""

    def process_data(self, candles):
        hours = candles.open_times // Timeframe.H1.ms
        last = np.append(hours[1:] != hours[:-1], True)
        closes = dict(zip(hours[last].tolist(), candles.close[last].tolist(), strict=True))
        known = np.array([closes[hour] for hour in hours.tolist()])
        return np.where(known > candles.close, 1.0, 0.0)


class JoinedHigherOnOpenTime(Planted):
    """The same with candles of the longer timeframe."""

    def process_data(self, candles):
        longer = candles.higher("1h")
        places = np.searchsorted(longer.open_times, candles.open_times, side="right") - 1
        known = np.append(longer.close, np.nan)[places]
        return np.where(known > candles.close, 1.0, 0.0)


class Repainting(Planted):
    """Changes its mind about the past when the last candle is a peak."""

    def process_data(self, candles):
        return (candles.close == np.maximum.accumulate(candles.close[::-1])[::-1]) * 1.0


class Carried(Planted):
    """Carries its target along from wherever it was decided."""

    def process_data(self, candles):
        decided = EmaCrossover("1m", {"fast": 5, "slow": 200}).process_data(candles)
        jumps = np.abs(np.diff(np.log(candles.close), prepend=np.nan)) > 0.0035
        target, targets = np.nan, []
        for new, is_jump in zip(decided, jumps, strict=True):
            target = new if is_jump else target
            targets.append(target)
        return np.array(targets)


class ShortWarmup(Planted):
    """Averages 120 candles and says that it needs 50."""

    def process_data(self, candles):
        mean = candles.indicator("sma", period=120)["sma"]
        return np.where(np.isnan(mean), np.nan, np.where(candles.close > mean, 1.0, 0.0))


class Silent(Planted):
    """Never decides."""

    def process_data(self, candles):
        return np.full(len(candles), np.nan)


class Ragged(Planted):
    """Forgets a candle."""

    def process_data(self, candles):
        return np.zeros(len(candles) - 1)


class Stumbling(SteppingStrategy):
    """Steps otherwise than it processes."""

    key = title = source = "stumbling"
    warmup = 0

    def process_data(self, candles):
        return np.arange(len(candles)) % 3 / 2

    def begin(self):
        return {"seen": 0}

    def step(self, state, candle):
        seen = state["seen"]
        return {"seen": seen + 1}, (0.0 if seen == 700 else seen % 3 / 2)


MARKET = made_up(4_500, Timeframe.M1)


@pytest.mark.parametrize(
    "planted", [Shifted, Normalised, JoinedOnOpenTime, JoinedHigherOnOpenTime, Repainting]
)
def test_a_planted_look_ahead_is_found(planted):
    proof = prove_no_look_ahead(planted("1m"), MARKET)
    assert not proof.is_passed
    assert "when all candles are known" in proof.detail


def test_the_candle_that_gives_it_away_is_named():
    rising = made_up(1, Timeframe.M1).rows.repeat(10)
    rising["open_time_ms"] += 60_000 * np.arange(10)
    rising["close"] += np.arange(10)
    proof = prove_no_look_ahead(Shifted("1m"), Series(Timeframe.M1, MARKET.spec, rising))
    assert proof.detail == (
        "candle 0, closed 2024-01-01 00:01 UTC: target 1 when all candles are known, "
        "target 0 when 0 later ones are"
    )


@pytest.mark.parametrize(
    "key",
    [
        # The longer timeframe of this one makes its proofs the longest.
        pytest.param(key, marks=pytest.mark.slow) if key == "trend_filter" else key
        for key in STRATEGIES
    ],
)
def test_the_built_in_strategies_pass_every_proof_with_less_than_ten_seconds_of_work(key):
    strategy = create_strategy(key)
    candles = made_up(candles_wanted(strategy.warmup), Timeframe.M1)
    # What it is computed by is compiled once, not for each proof.
    strategy.process_data(candles)
    strategy.step(strategy.begin(), candles.first(1))
    before_s = spent_here_s()
    proofs = prove(strategy, candles)
    assert spent_here_s() - before_s < 10
    assert [proof.name for proof in proofs] == ["look_ahead", "warmup", "steps"]
    assert [proof.detail for proof in proofs if not proof.is_passed] == []
    assert proofs[0].compared == 2_400


def test_the_proofs_do_not_depend_on_one_market():
    for seed in range(2, 5):
        strategy = create_strategy("rsi", {"period": 7}, "15m")
        candles = made_up(candles_wanted(strategy.warmup), Timeframe.M15, seed)
        assert all(proof.is_passed for proof in prove(strategy, candles))


def test_a_warmup_that_is_too_short_is_told_by_how_much():
    proof = prove_warmup(ShortWarmup("1m"), MARKET)
    assert not proof.is_passed
    assert proof.detail.endswith("about 119 would: 69 too few")


def test_a_target_that_is_carried_along_needs_more_than_any_warmup():
    strategy = Carried("1m")
    assert prove_no_look_ahead(strategy, MARKET).is_passed
    proof = prove_warmup(strategy, MARKET)
    assert not proof.is_passed
    assert "too few" in proof.detail or "return NaN for no decision" in proof.detail


def test_a_declared_warmup_of_an_average_that_has_not_settled_is_too_short():
    class Hasty(EmaCrossover):
        """Needs more than a period."""

        warmup = 26

    proof = prove_warmup(Hasty("1m"), MARKET)
    assert not proof.is_passed
    assert "too few" in proof.detail


def test_too_few_candles_prove_nothing():
    proof = prove_warmup(create_strategy("ema_crossover"), made_up(500, Timeframe.M1))
    assert not proof.is_passed
    assert proof.detail == "expected 4,888 candles; there are 500"


def test_a_strategy_that_never_decides_proves_nothing():
    proofs = prove(Silent("1m"), MARKET)
    assert [proof.is_passed for proof in proofs] == [False, False]
    assert all("decides nothing" in proof.detail for proof in proofs)


def test_another_number_of_targets_than_candles_is_refused():
    with pytest.raises(WrongTargets, match=r"one target for each of 4500 .*\(4499,\)"):
        prove_no_look_ahead(Ragged("1m"), MARKET)


def test_a_step_that_differs_is_found():
    proof = prove_steps(Stumbling("1m"), MARKET)
    assert not proof.is_passed
    assert "target 0 in steps, target 0.5 at once" in proof.detail


def test_made_up_markets_are_the_same_for_a_seed_and_have_everything():
    one, two = made_up(20_000, Timeframe.M5), made_up(20_000, Timeframe.M5)
    assert np.array_equal(one.rows, two.rows)
    waits = np.diff(one.open_times) // Timeframe.M5.ms
    assert (waits > 11).any()
    assert ((waits > 1) & (waits <= 11)).any()
    assert 0.05 < one.is_flat.mean() < 0.4
    assert (one.high >= np.maximum(one.open, one.close)).all()
    assert (one.low <= np.minimum(one.open, one.close)).all()
    assert (one.volume[one.is_flat] == 0).all()
    assert (one.close[one.is_flat] == one.open[one.is_flat]).all()


def test_a_parameter_reaches_the_strategy():
    class Held(Planted):
        """Holds a share."""

        parameters = (Whole("share", "Share", 1, 0, 1, "How much."),)

        def process_data(self, candles):
            return np.full(len(candles), float(self.params["share"]))

    assert Held("1m", {"share": 0}).process_data(MARKET).max() == 0
