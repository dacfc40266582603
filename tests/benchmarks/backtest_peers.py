"""The same backtests by vectorbt and backtesting.py, in the same run.

Each finds the crossovers itself, trades them with fees and slippage and computes all of its own
figures. With the usual 15 bps a fill the random walk's account is gone by summer, and the others
stop to order; with a tenth of it all trade all year. Then vectorbt books the very fills of ours,
and its equity and figures are compared with ours; tests do the same with backtesting.py.
"""

from __future__ import annotations

import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figures import Figure, percentile
from tests.peers.asking import are_there, ask

CASH = 1_000_000
FEE, SLIPPAGE = Decimal(1), Decimal("0.5")
ROUNDS = 15
QUARTER = 91 * 1440
_BPS = 1e4


def peers(minutes: Any, instrument: Any) -> list[Figure]:
    """Return the others' times beside ours; nothing where they were not installed."""
    if not are_there():
        return []
    result, own_ms = measured(minutes, instrument)
    arrays = arrays_of(minutes, result)
    told = {"fast": 12, "slow": 26, "cash": CASH, "fee": float(FEE) / _BPS}
    told["slippage"] = float(SLIPPAGE) / _BPS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ((vectorbt, _),) = ask("vectorbt_signals", folder, [arrays], **told, rounds=5)
        ((other, _),) = ask(
            "backtesting_signals", folder, [arrays], **told, rounds=1, unit=float(result.units.lot)
        )
        apart = booked(arrays, result, folder)
    fills = len(result.fills)
    return [
        beside("vectorbt", vectorbt, own_ms, fills, 5),
        beside("backtesting.py", other, own_ms, fills, 150),
        Figure(
            "ours and theirs on the same fills",
            apart,
            "",
            "equal to 1e-7",
            apart < 1e-7,
            "largest relative difference of equity at any minute and of all figures",
        ),
    ]


def beside(name: str, told: dict[str, Any], own_ms: float, fills: int, least: float) -> Figure:
    """Return how many times as long another one took."""
    ratio = told["seconds"] * 1000 / own_ms
    note = (
        f"{name} {told['seconds'] * 1000:,.0f} ms and {told['fills']:.0f} fills, "
        f"ours {own_ms:.1f} ms and {fills}"
    )
    return Figure(
        f"whole run against {name}", ratio, "x", f"at least {least} x", ratio >= least, note
    )


def measured(minutes: Any, instrument: Any) -> tuple[Any, float]:
    """Return our result and the median time of a whole run in ms."""
    from backtests.domain.engine import BacktestingEngine
    from backtests.domain.market import Market
    from backtests.domain.settings import Costs, Size, Trading
    from marketdata.domain.timeframe import Timeframe
    from strategies.domain.registry import create_strategy

    costs = Costs(taker_bps=FEE, slippage_bps=SLIPPAGE)
    trading = Trading(cash=Decimal(CASH), costs=costs, size=Size(amount=Decimal("0.95")))
    engine = BacktestingEngine(Market(instrument.spec, instrument.min_size), Timeframe.M1, trading)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        strategy = create_strategy("ema_crossover", {"fast": 12, "slow": 26}, Timeframe.M1)
        result = engine.run(minutes, strategy, 0)
        result.metrics(), result.digest
        times.append((time.perf_counter() - began) * 1000)
    return result, percentile(times[2:], 50)


def arrays_of(minutes: Any, result: Any) -> dict[str, Any]:
    """Return candles and fills in quote and base currency."""
    fills, units = result.fills, result.units
    return {
        "open_ms": minutes.candles["open_time_ms"],
        **{name: np.array(minutes.candles[name]) for name in ("open", "high", "low", "close")},
        "at": np.searchsorted(minutes.candles["open_time_ms"], fills["time_ms"]),
        "lots": fills["lots"],
        "size": fills["lots"] * float(units.lot),
        "price": fills["tick"] * float(units.tick),
        "fee": fills["fee"] * float(units.cash),
    }


def booked(arrays: dict[str, Any], result: Any, folder: Path) -> float:
    """Return how far vectorbt's account of our fills is from ours, at most, relatively."""
    ((figures, found),) = ask("vectorbt_fills", folder, [arrays], cash=CASH)
    equity = result.equity * float(result.units.cash)
    apart = float(np.max(np.abs(found["equity"] / equity - 1.0)))
    for key, value in result.as_others()["vectorbt"].items():
        apart = max(apart, abs(figures[key] / value - 1.0) if value else abs(figures[key]))
    return apart
