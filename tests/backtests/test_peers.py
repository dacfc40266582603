"""vectorbt and backtesting.py, given our fills, come to our equity and to our version of theirs.

Both book the fills by their own arithmetic, in floats, and compute their own figures. Orders are of
95 % of the equity: with all of it, what is left to pay the fee with is a question of rounding.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import numpy as np
import pytest

from backtests.domain.settings import Size, Trading
from marketdata.domain.timeframe import Timeframe
from tests.backtests.real_year import SPEC, TIMEFRAMES, load_year, run_over
from tests.backtests.signals import PLAIN
from tests.peers.asking import MISSING, are_there, ask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not are_there(), reason=MISSING),
]

CASH = 10_000
TRADING = Trading(cash=Decimal(CASH), size=Size(amount=Decimal("0.95")))
QUARTER = 91 * 1440
THEIRS = {
    "total_return": "Return [%]",
    "annual_return": "Return (Ann.) [%]",
    "volatility": "Volatility (Ann.) [%]",
    "cagr": "CAGR [%]",
    "sharpe": "Sharpe Ratio",
    "sortino": "Sortino Ratio",
    "max_drawdown": "Max. Drawdown [%]",
    "calmar": "Calmar Ratio",
    "exposure": "Exposure Time [%]",
    "win_rate": "Win Rate [%]",
    "best_trade": "Best Trade [%]",
    "worst_trade": "Worst Trade [%]",
    "average_trade": "Avg. Trade [%]",
    "profit_factor": "Profit Factor",
    "expectancy": "Expectancy [%]",
    "sqn": "SQN",
    "kelly": "Kelly Criterion",
}


@pytest.fixture(scope="module")
def year(shared_data):
    return load_year(shared_data)


def arrays_of(candles, result):
    """Return candles and fills as floats: quote currency, and units of the base currency."""
    fills, units = result.fills, result.units
    return {
        "open_ms": candles["open_time_ms"],
        **{name: candles[name].copy() for name in ("open", "high", "low", "close")},
        "at": np.searchsorted(candles["open_time_ms"], fills["time_ms"]),
        "lots": fills["lots"],
        "size": fills["lots"] * float(units.lot),
        "price": fills["tick"] * float(units.tick),
        "fee": fills["fee"] * float(units.cash),
    }


def equity_of(result):
    return result.equity * float(result.units.cash)


def test_vectorbt_agrees_over_the_year(year, tmp_path):
    runs = [(pair, run_over(year, *pair, TRADING)) for pair in product(PLAIN, TIMEFRAMES)]
    given = [arrays_of(year, result) for _, result in runs]
    answers = ask("vectorbt_fills", tmp_path, given, cash=CASH)
    for (pair, result), arrays, (figures, found) in zip(runs, given, answers, strict=True):
        assert len(arrays["at"]) > 50, pair
        assert found["at"].tolist() == arrays["at"].tolist(), pair
        assert np.allclose(found["size"], arrays["size"], rtol=1e-12, atol=0), pair
        assert np.allclose(found["equity"], equity_of(result), rtol=1e-9, atol=0), pair
        own = result.as_others()["vectorbt"]
        assert set(own) <= set(figures)
        for key, value in own.items():
            assert value == pytest.approx(figures[key], rel=1e-7), (pair, key)
        metrics = result.metrics()
        for key in ("total_return", "max_drawdown", "win_rate", "profit_factor", "expectancy"):
            assert metrics[key] == pytest.approx(figures[key], rel=1e-7), (pair, key)


def test_backtesting_py_agrees_over_a_quarter_and_one_year(year, tmp_path):
    quarter = year[:QUARTER]
    cases = [(pair, quarter) for pair in product(PLAIN, TIMEFRAMES)]
    cases.append((("ema_crossover", Timeframe.H1), year))
    runs = [(pair, candles, run_over(candles, *pair, TRADING)) for pair, candles in cases]
    given = [in_lots(candles, result) for _, candles, result in runs]
    answers = ask("backtesting_fills", tmp_path, given, cash=CASH)
    for (pair, candles, result), (figures, found) in zip(runs, answers, strict=True):
        closed, opens = closed_trips(result), candles["open_time_ms"]
        assert found["entry"].tolist() == np.searchsorted(opens, closed["entry_ms"]).tolist(), pair
        assert found["exit"].tolist() == np.searchsorted(opens, closed["exit_ms"]).tolist(), pair
        assert found["lots"].tolist() == closed["lots"].tolist(), pair
        profits = closed["profit"] * float(result.units.cash)
        assert np.allclose(found["profit"], profits, rtol=1e-9, atol=1e-7), pair
        assert np.allclose(found["equity"], equity_of(result), rtol=1e-9, atol=0), pair
        own = result.as_others()["backtesting.py"]
        assert set(own) == set(THEIRS)
        for name, title in THEIRS.items():
            figure = figures[title] / (100 if "[%]" in title else 1)
            figure = -figure if name == "max_drawdown" else figure
            assert own[name] == pytest.approx(figure, rel=1e-7), (pair, name)
        assert result.metrics()["win_rate"] == pytest.approx(figures["Win Rate [%]"] / 100)


def closed_trips(result):
    return result.round_trips[result.round_trips["is_closed"]]


def in_lots(candles, result):
    """Return arrays for a program of whole units at the open: lots, our prices in its opens."""
    arrays, lot = arrays_of(candles, result), float(SPEC.lot_size)
    for name in ("open", "high", "low", "close"):
        arrays[name] = arrays[name] * lot
    arrays["open"][arrays["at"]] = arrays["price"] * lot
    return arrays
