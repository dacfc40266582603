"""What the kernel's events mean for people: orders, what became of them, and their fills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from backtests.domain.records import Kind, Reason
from bots.domain.portfolio import Traded, VirtualPortfolio
from bots.domain.stepping import Step

WAITING: Final = "waiting"
FILLED: Final = "filled"
CANCELLED: Final = "cancelled"
SKIPPED: Final = "skipped"

REPLACED: Final = "replaced"
RUN_ENDED: Final = "run_ended"
NOTHING_LEFT: Final = "nothing_left"
"""There was no position any more that it could have closed."""


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill in the kernel's whole numbers; `cost` is that of the position after it."""

    time_ms: int
    reason: str
    traded: Traded
    slippage: int
    cash: int
    position: int
    realised: int
    cost: int


@dataclass(slots=True)
class BookedOrder:
    """An order and what became of it. `row_id` is that of its row, if it has one already."""

    made_ms: int
    reason: str
    target: int
    state: str = WAITING
    outcome: str = ""
    ended_ms: int | None = None
    row_id: int | None = None
    is_changed: bool = True

    def end(self, state: str, time_ms: int, outcome: str = "") -> None:
        self.state, self.ended_ms, self.outcome = state, time_ms, outcome
        self.is_changed = True


class Books:
    """The orders of one run over some steps, and the fills with their orders, as they came.

    `waiting` is the order that waits before them, `portfolio` the account then.
    """

    def __init__(self, portfolio: VirtualPortfolio, waiting: BookedOrder | None) -> None:
        self.portfolio = portfolio
        self.orders: list[BookedOrder] = [waiting] if waiting else []
        self.fills: list[tuple[BookedOrder, BookedFill]] = []
        self._last = waiting
        self._targets: dict[int, int] = {}

    def take(self, step: Step) -> None:
        """Book what a step did."""
        self._targets |= {one.close_ms: one.target for one in step.decisions}
        made = step.made.tolist()
        events = step.events.tolist()
        names = step.events.dtype.names or ()
        rows = [dict(zip(names, event, strict=True)) for event in events]
        for number, event in enumerate(rows):
            while made and made[0][0] <= number:
                self._make(*made.pop(0)[1:])
            following = rows[number + 1] if number + 1 < len(rows) else None
            self._book(event, following)
        for row in made:
            self._make(*row[1:])
        last = self._last
        if last and last.state == WAITING and step.after.state["order_reason"][0] == Reason.NONE:
            last.end(CANCELLED, step.after.place.minute_ms, NOTHING_LEFT)

    def close(self, time_ms: int) -> None:
        """End the order that waits when its run ends."""
        if self._last and self._last.state == WAITING:
            self._last.end(CANCELLED, time_ms, RUN_ENDED)

    def changed(self) -> Iterator[BookedOrder]:
        """Yield the orders that are new or were changed."""
        return (order for order in self.orders if order.is_changed)

    def _make(self, made_ms: int, target: int, reason: int) -> None:
        if self._last and self._last.state == WAITING:
            self._last.end(CANCELLED, made_ms, REPLACED)
        self._last = self._add(BookedOrder(made_ms, name_of(reason), target))

    def _add(self, order: BookedOrder) -> BookedOrder:
        self.orders.append(order)
        return order

    def _book(self, event: dict[str, Any], following: dict[str, Any] | None) -> None:
        kind, reason, time_ms = event["kind"], name_of(event["reason"]), event["time_ms"]
        if kind == Kind.FILL:
            order = self._order_of(event, following)
            self.fills.append((order, self._fill(event)))
            order.end(FILLED, time_ms)
        elif kind == Kind.SKIPPED:
            self._skip(event, reason)
        elif kind == Kind.CANCELLED and self._last and self._last.state == WAITING:
            self._last.end(CANCELLED, time_ms, reason)

    def _order_of(self, event: dict[str, Any], following: dict[str, Any] | None) -> BookedOrder:
        """Return the waiting order that a fill belongs to, or a new one for a stop or command."""
        last, reason = self._last, name_of(event["reason"])
        is_answer = (
            last is not None
            and last.reason == reason
            and last.made_ms == event["decided_ms"]
            and (last.state == WAITING or last.ended_ms == event["time_ms"])
            and not _drops(following)
        )
        if last is not None and is_answer:
            return last
        return self._add(BookedOrder(event["time_ms"], reason, 0))

    def _skip(self, event: dict[str, Any], reason: str) -> None:
        last, time_ms = self._last, event["time_ms"]
        if last and last.state == WAITING and event["reason"] != Reason.NO_SHORT:
            last.end(SKIPPED, time_ms, reason)
        elif last and last.state == FILLED and last.ended_ms == time_ms:
            # The other half of a reversal came to nothing.
            last.outcome = reason
        else:
            target = self._targets.get(time_ms, 0)
            self._add(BookedOrder(time_ms, "target", target)).end(SKIPPED, time_ms, reason)

    def _fill(self, event: dict[str, Any]) -> BookedFill:
        before = self.portfolio
        traded = Traded(event["lots"], event["tick"], event["fee"])
        self.portfolio = before.filled(traded)
        return BookedFill(
            time_ms=event["time_ms"],
            reason=name_of(event["reason"]),
            traded=traded,
            slippage=event["slippage"],
            cash=event["cash"],
            position=event["position"],
            realised=self.portfolio.realised - before.realised,
            cost=self.portfolio.cost,
        )


def name_of(reason: int) -> str:
    """Return a reason of the kernel as people see it."""
    return Reason(reason).name.lower()


def _drops(event: dict[str, Any] | None) -> bool:
    """Return whether an event drops the waiting order because a stop was first."""
    return (
        event is not None
        and event["kind"] == Kind.CANCELLED
        and event["reason"] == Reason.STOPPED_BEFORE
    )
