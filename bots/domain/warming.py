"""Loading the compiled code before the first tick waits for it."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from backtests.domain.engine import BacktestingEngine
from backtests.domain.market import Market
from backtests.domain.records import Command, new_state
from backtests.domain.settings import Trading
from bots.domain.halves import OPENING, Place
from bots.domain.stepping import Account, obeyed, reach, stepped
from bots.domain.timeline import StoredMinutes, timeline
from bots.domain.trailing import trailing_levels
from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import MINUTE_MS, Timeframe


def warm_kernels() -> None:
    """Step a bot through four minutes: a moment when the machine code is on disk."""
    values = {name: np.ones(4, kind) for name, kind in COLUMN_TYPES.items()}
    values["open_time_ms"] = MINUTE_MS * np.arange(4)
    spec = InstrumentSpec("WARM-UP", Decimal("0.1"), Decimal("0.1"))
    engine = BacktestingEngine(Market(spec, Decimal("0.1")), Timeframe.M1, Trading())
    stored = StoredMinutes(CandleColumns(**values), np.zeros(4, np.int64), {}, 0)
    line = timeline(stored, engine.units, 0, 0)
    account = Account(Place(0, OPENING), new_state(1_000_000_000_000))
    targets = np.array([0, 1_000_000, 0, 1_000_000])
    until = reach(line, account.place, Timeframe.M1, None)
    after = stepped(account, engine.rules, line, targets, until).after
    obeyed(after, engine.rules, Command.FLATTEN, 10)
    trailing_levels(10, targets[:3], targets, is_long=True)
