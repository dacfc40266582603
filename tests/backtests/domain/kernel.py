"""A small account on a small market: candle tables in, events out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtests.domain.kernels.execution import close_minute, obey, open_minute, walk
from backtests.domain.records import (
    PPM,
    UNCHANGED,
    Kind,
    Minutes,
    Reason,
    Rules,
    Sizing,
    new_events,
    new_state,
)

MINUTE = 60_000
KEEP = None
"""A minute at which the strategy decides nothing."""

PLAIN = Rules(
    cash_per_tick_lot=1,
    minimum_lots=1,
    timeframe_ms=MINUTE,
    taker=0,
    maker=0,
    slippage=0,
    sizing=int(Sizing.FRACTION),
    size=PPM,
    is_short_allowed=False,
    is_margined=False,
    stop_loss=0,
    take_profit=0,
    trailing_stop=0,
    time_stop_ms=0,
    cooldown_ms=0,
    max_drawdown=0,
    max_daily_loss=0,
    max_exposure=PPM,
)
SWAP = PLAIN._replace(is_short_allowed=True, is_margined=True)


@dataclass
class Run:
    """What came out: fills as (minute, lots, price, reason), the rest as (minute, kind, reason)."""

    fills: list[tuple[int, int, int, Reason]]
    others: list[tuple[int, Kind, Reason]]
    equity: list[int]
    state: Any
    events: Any = field(repr=False)


def candles(*rows: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Return columns of rows (open, high, low, close[, volume]); a volume of 0 is a flat minute."""
    table = np.array([(*row, 1)[:5] for row in rows], dtype=np.int64).reshape(-1, 5)
    return {
        "times": np.arange(len(table), dtype=np.int64) * MINUTE,
        "traded": table[:, 4] > 0,
        "opens": table[:, 0].copy(),
        "highs": table[:, 1].copy(),
        "lows": table[:, 2].copy(),
        "closes": table[:, 3].copy(),
    }


def prices(*opens: float) -> dict[str, np.ndarray]:
    """Return candles that stay at their open."""
    return candles(*((price, price, price, price) for price in opens))


def targets(*wanted: float | None) -> np.ndarray:
    """Return targets in millionths; None where the strategy decides nothing."""
    return np.array(
        [UNCHANGED if one is None else round(one * PPM) for one in wanted], dtype=np.int64
    )


def run(
    table: dict[str, np.ndarray],
    wanted: np.ndarray,
    rules: Rules = PLAIN,
    cash: int = 1000,
    state: Any = None,
) -> Run:
    """Walk the table from a new account, or go on with `state`."""
    state = new_state(cash) if state is None else state
    # Another type of number would be another kernel to compile.
    rules = rules._replace(sizing=int(rules.sizing))
    events = new_events(100 + 4 * len(wanted))
    equity = np.zeros(len(wanted), np.int64)
    done, count = walk(state, rules, Minutes(**table, targets=wanted), 0, equity, events, 0)
    assert done == len(wanted)
    return told(events[:count], equity.tolist(), state)


def told(events: Any, equity: list[int], state: Any) -> Run:
    fills, others = [], []
    for event in events:
        # Orders come to nothing at an open or at a close; both are told by the minute they end.
        minute = int(event["time_ms"]) // MINUTE
        reason = Reason(event["reason"])
        if event["kind"] == Kind.FILL:
            fills.append((minute, int(event["lots"]), int(event["tick"]), reason))
        else:
            others.append((minute, Kind(event["kind"]), reason))
    return Run(fills, others, equity, state[0], events)


class Account:
    """The same account driven half by half, as a bot drives it."""

    def __init__(self, rules: Rules = PLAIN, cash: int = 1000) -> None:
        self.rules, self.state = rules, new_state(cash)
        self.events, self.count, self.minute = new_events(1000), 0, 0
        self.equity: list[int] = []

    def step(
        self,
        candle: tuple[float, ...],
        target: float | None = None,
        *,
        may_enter: bool = True,
        commands: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """Live through one minute; commands are (command, price of the last trade or 0)."""
        tick, high, low, close, volume = (int(x) for x in (*candle, 1)[:5])
        one, time_ms = self.state[0], self.minute * MINUTE
        if volume:
            self.count = open_minute(one, self.rules, time_ms, tick, self.events, self.count)
        for command, price in commands:
            self.count = obey(one, self.rules, time_ms, command, price, self.events, self.count)
        wanted = UNCHANGED if target is None else round(target * PPM)
        self.count = close_minute(
            one,
            self.rules,
            time_ms,
            volume > 0,
            tick,
            high,
            low,
            close,
            wanted,
            may_enter,
            self.events,
            self.count,
        )
        self.minute += 1
        self.equity.append(int(one["equity"]))

    def told(self) -> Run:
        return told(self.events[: self.count], self.equity, self.state)
