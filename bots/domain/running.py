"""A bot that a step has taken, the settings of its run, and what the step did to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backtests.domain.records import Rules, States
from backtests.domain.units import Units
from bots.domain.grouping import Decided, GroupKey
from bots.domain.halves import Place
from bots.domain.stepping import Account, Step
from marketdata.domain.timeframe import MINUTE_MS, Timeframe


@dataclass(frozen=True, slots=True)
class RunSettings:
    """By what a run decides and trades, ready for the kernel. `symbol` names its instrument."""

    id: int
    bot_id: int
    number: int
    version: int
    symbol: str
    quote: str
    rules: Rules
    units: Units
    group: GroupKey
    params: Mapping[str, Any]
    max_entry_age_ms: int
    start_ms: int
    started_ms: int
    is_of_this_engine: bool

    @property
    def timeframe(self) -> Timeframe:
        """The length of the strategy's candles."""
        return self.group.timeframe


@dataclass(frozen=True, slots=True, eq=False)
class TakenBot:
    """A bot whose row is locked to the end of the transaction."""

    id: int
    owner_id: int
    state: str
    version: int
    place: Place
    run_id: int
    kernel: States

    @property
    def account(self) -> Account:
        return Account(self.place, self.kernel)


@dataclass(frozen=True, slots=True)
class Obeyed:
    """An order from outside, where it took effect, and the price it was filled at (0: none)."""

    command_id: int
    kind: str
    source: str
    asked_by_id: int | None
    place: Place
    tick: int


@dataclass(slots=True, eq=False)
class Outcome:
    """What a step did to one bot: its steps in their order, and where it stands after them."""

    bot: TakenBot
    run: RunSettings
    account: Account
    decided: Decided | None
    steps: list[Step] = field(default_factory=list)
    obeyed: list[Obeyed] = field(default_factory=list)
    is_over: bool = False
    end: str | None = None
    """Why its run ends here; None when it goes on."""
    is_followed: bool = False
    """Whether another run goes on where this one ends, with the order that waits."""

    def take(self, step: Step) -> None:
        """Go on from where a step led."""
        self.steps.append(step)
        self.account = step.after
        self.is_over = step.is_over

    @property
    def minutes(self) -> int:
        """How many minutes it did to their ends."""
        return (self.account.place.minute_ms - self.bot.place.minute_ms) // MINUTE_MS

    @property
    def has_traded(self) -> bool:
        """Whether anything happened that orders and fills tell of."""
        if self.end and not self.is_followed and self.account.state["order_reason"][0]:
            return True
        return any(
            len(step.events)
            or len(step.made)
            or step.before["order_reason"][0] != step.after.state["order_reason"][0]
            for step in self.steps
        )
