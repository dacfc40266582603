"""Seeded runs come to what they came to before, and the kernel's version moves with its code."""

from __future__ import annotations

import ast
import hashlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from backtests.domain import kernels, records
from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market, MarketMinutes
from backtests.domain.records import KERNEL_VERSION
from backtests.domain.settings import Costs, Limits, Stops, Trading
from marketdata.domain.columns import CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from strategies.domain.registry import STRATEGIES, create_strategy
from tests.backtests.golden import KERNEL, REASONS, RUNS

SPEC = InstrumentSpec("SEEDED", Decimal("0.1"), Decimal("0.0001"), Decimal(1))
COUNT = 10 * 1440
START_MS = 20_000 * DAY_MS
TRADING = {
    "spot": Trading(),
    "swap": Trading(
        costs=Costs.of_swap(),
        stops=Stops(Decimal("0.01"), Decimal("0.03"), Decimal("0.015"), 600),
        limits=Limits(max_exposure=Decimal("0.8"), cooldown_minutes=30),
        allow_short=True,
    ),
}
FILE = "tests/backtests/golden.py"


@pytest.fixture(scope="module")
def candles():
    """Minutes in whole ticks: moods of an hour, rests without a trade, jumps and a gap."""
    # The bits of a generator are the same in every NumPy; what it makes of them may not be.
    raw = np.random.PCG64(7).random_raw((5, COUNT)).astype(np.int64) & 0xFFFF
    moods = (raw[0, ::60] % 3 - 1).repeat(60)
    rests = raw[1] % 40 == 0
    closes = 200_000 + np.cumsum(np.where(rests, 0, raw[2] % 201 - 100 + 12 * moods))
    opens = np.append(closes[:1], closes[:-1]) + np.where(raw[3] % 20 == 0, raw[3] % 61 - 30, 0)
    opens, reach = np.where(rests, closes, opens), np.where(rests, 0, raw[4] % 50)
    kept = np.delete(np.arange(COUNT), np.s_[7000:7090])
    prices = (opens, np.maximum(opens, closes) + reach, np.minimum(opens, closes) - reach, closes)
    return CandleColumns(
        START_MS + kept * MINUTE_MS,
        *(column[kept] / 10 for column in prices),
        np.where(rests, 0.0, raw[4] % 1000 + 1.0)[kept],
        np.ones(len(kept), np.int16),
        np.zeros(len(kept), np.int16),
    )


def run_over(candles, key, market):
    is_swap = market == "swap"
    engine = BacktestingEngine(
        Market(SPEC, Decimal("0.0001"), is_swap), Timeframe.M5, TRADING[market]
    )
    sides = any(parameter.name == "sides" for parameter in STRATEGIES[key].parameters)
    strategy = create_strategy(key, {"sides": "both"} if is_swap and sides else {}, Timeframe.M5)
    return engine.run(MarketMinutes.of(candles, engine.units), strategy, START_MS + DAY_MS)


@pytest.mark.parametrize("market", TRADING)
@pytest.mark.parametrize("key", STRATEGIES)
def test_a_seeded_run_comes_to_what_it_came_to(candles, key, market):
    result = run_over(candles, key, market)
    assert result.metrics()["fees_paid"] > 0
    assert result.metrics()["slippage_paid"] > 0
    found, name = (len(result.fills), int(result.equity[-1]), result.digest), f"{key} {market}"
    assert found == RUNS.get(name), (
        f"{name} comes to {found}, no more to {RUNS.get(name)}: if that is meant, "
        f"change RUNS in {FILE}"
    )


def test_golden_runs_change_with_a_written_reason_only():
    assert len(RUNS) == len(STRATEGIES) * len(TRADING)
    now = hashlib.sha256(repr(sorted(RUNS.items())).encode()).hexdigest()
    assert all(day and reason for day, reason, _ in REASONS)
    assert REASONS[-1][2] == now, (
        f"RUNS was changed: append the day, the reason and {now!r} to REASONS in {FILE}"
    )


def test_the_version_of_the_kernel_moves_with_its_code():
    version, known = KERNEL
    now = kernel_hash()
    assert (version, known) == (KERNEL_VERSION, now), (
        f"The kernel's code is not that of version {version} any more: raise KERNEL_VERSION in "
        f"backtests/domain/records.py to {version + 1} and make KERNEL in {FILE} "
        f"({version + 1}, {now!r}). The version stays only where no run can come out differently."
    )


def test_comments_and_layout_are_not_the_kernels_code():
    text = 'def fee(x):\n    """Tell."""\n    return x * 2  # twice\n'
    assert code_of(text) == code_of("def fee(x):\n\n    return (x*2)\n")
    assert code_of(text) != code_of(text.replace("* 2", "* 3"))
    assert code_of("KERNEL_VERSION: Final = 2\n") == code_of("KERNEL_VERSION: Final = 3\n")


def kernel_hash():
    """Return the hash of the kernel's code and of the records that it works on."""
    files = sorted(Path(kernels.__file__).parent.glob("*.py"))
    texts = [f"{file.name}\n{code_of(file.read_text())}" for file in [*files, _RECORDS]]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


_RECORDS = Path(records.__file__)


class _Bare(ast.NodeTransformer):
    """Takes texts that stand alone and the version itself out of a module."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else node

    def visit_AnnAssign(self, node):
        return None if getattr(node.target, "id", "") == "KERNEL_VERSION" else node


def code_of(text):
    """Return a module's code without comments, docstrings and layout."""
    return ast.unparse(_Bare().visit(ast.parse(text)))
