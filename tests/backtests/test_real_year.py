"""A real year of minutes: the engine does what a plain computation does, to the last unit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backtests.domain.settings import Trading
from tests.backtests import reference
from tests.backtests.real_year import TIMEFRAMES, load_year, run_over
from tests.backtests.signals import PLAIN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CASH = 10_000
FEWEST = dict(zip(TIMEFRAMES, (3000, 150, 50), strict=True))


@pytest.fixture(scope="module")
def year(shared_data):
    return load_year(shared_data)


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
@pytest.mark.parametrize("key", PLAIN)
def test_a_strategy_over_a_year_equals_a_plain_computation(year, key, timeframe):
    result = run_over(year, key, timeframe, Trading(cash=Decimal(CASH)))

    start, step = CASH * reference.CASH, timeframe.minutes
    targets = PLAIN[key](year["close"][step - 1 :: step].tolist())
    expected = reference.trade(year, step, targets, start, fee_bps=10, slip_bps=5)

    assert len(expected.fills) > FEWEST[timeframe]
    names = ("time_ms", "lots", "tick", "fee")
    assert list(zip(*(result.fills[name].tolist() for name in names), strict=True)) == (
        expected.fills
    )
    assert result.equity.tolist() == expected.equity
    metrics = result.metrics()
    figures = reference.figures(expected, year, start)
    assert set(metrics) - set(figures) == {"expectancy_r"}
    for name, figure in figures.items():
        assert metrics[name] == pytest.approx(figure, rel=1e-9), name
    told = result.as_others()["freqtrade"]
    for name, figure in reference.freqtrade_figures(expected, year, start).items():
        assert told[name] == pytest.approx(figure, rel=1e-9), name
