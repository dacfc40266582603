"""What a run did: fills, equity and figures, with everything needed to do it again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from backtests.domain.metrics import Account, account, all_metrics
from backtests.domain.metrics.others import OTHERS, as_others
from backtests.domain.records import KERNEL_VERSION, Events, Integers, Kind, Reason, Rules
from backtests.domain.roundtrips import RoundTrips, fills_of, round_trips
from backtests.domain.units import Units
from marketdata.domain.series import Floats


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """A finished run.

    `close_times` are the minutes' closes, `equity` (cash units) and `closes` (ticks) stand beside
    them. `indicators` are the strategy's own, over `indicator_times`, the closes of its candles.
    """

    units: Units
    rules: Rules
    start_cash: int
    close_times: Integers
    closes: Integers
    equity: Integers
    events: Events
    indicator_times: Integers
    indicators: dict[str, Floats]

    @property
    def fills(self) -> Events:
        """The fills, in order."""
        return fills_of(self.events)

    @property
    def round_trips(self) -> RoundTrips:
        return round_trips(self.events, self.rules.cash_per_tick_lot)

    @property
    def account(self) -> Account:
        """What the metrics are computed from."""
        return account(
            start=self.start_cash,
            times_ms=self.close_times,
            equity=self.equity,
            trips=self.round_trips,
            closes=self.closes,
            stop_share=self.rules.stop_loss / 1_000_000,
        )

    def metrics(self) -> dict[str, float | None]:
        """Return every figure by key, money in quote currency; None where it is unknown."""
        return figures_of(self.account, self.units)

    def as_others(self) -> dict[str, dict[str, float | None]]:
        """Return the figures as other programs compute them, money in quote currency."""
        cash = float(self.units.cash)
        told = as_others(self.account)
        for program, key in (
            (other.program, other.key) for other in OTHERS if other.unit == "cash"
        ):
            value = told[program][key]
            told[program][key] = None if value is None else value * cash
        return told

    @property
    def digest(self) -> str:
        """The hash of what was traded: fills and integers only, the same on every machine."""
        told = hashlib.sha256(f"kernel {KERNEL_VERSION}".encode())
        told.update(np.ascontiguousarray(self.events).tobytes())
        told.update(int(self.equity[-1]).to_bytes(8, "little", signed=True))
        return told.hexdigest()

    def refused(self) -> dict[str, int]:
        """Return how many orders came to nothing, by reason."""
        others = self.events[self.events["kind"] != Kind.FILL]
        reasons, counts = np.unique(others["reason"], return_counts=True)
        return {
            Reason(reason).name.lower(): int(count)
            for reason, count in zip(reasons, counts, strict=True)
        }


def figures_of(of: Account, units: Units) -> dict[str, float | None]:
    """Return every figure of an account by key, money in quote currency; None where unknown."""
    cash = float(units.cash)
    return {
        key: value * cash if value is not None and key in _MONEY else value
        for key, value in all_metrics(of).items()
    }


_MONEY = frozenset({"expectancy", "fees_paid", "slippage_paid", "best_trip", "worst_trip"})
