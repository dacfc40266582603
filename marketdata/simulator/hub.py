"""Who has subscribed to what, and the step that pushes what happened to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from marketdata.simulator.channels import Channel
from marketdata.simulator.faults import FaultKind, Faults
from marketdata.simulator.feeds import AllTradesFeed, Feed, TradesFeed
from marketdata.simulator.market import Market
from marketdata.simulator.view import View
from marketdata.simulator.wire import text_frame


@dataclass(frozen=True, slots=True, order=True)
class Topic:
    """A channel and its subject. Topics sort in the exchange's order of pushes."""

    rank: int
    channel: str
    subject: str


class Subscriber(Protocol):
    def push(self, messages: list[bytes], frames: bytes) -> None:
        """Send messages; `frames` are the same messages, framed and joined."""
        ...


@dataclass(slots=True)
class _Line:
    feed: Feed
    subscribers: dict[Subscriber, None]


class Hub:
    """The feeds that anybody listens to."""

    def __init__(self, market: Market, channels: dict[str, Channel], faults: Faults) -> None:
        self._market = market
        self._channels = channels
        self._faults = faults
        self._lines: dict[Topic, _Line] = {}
        self.pushed = 0

    @property
    def topics(self) -> list[Topic]:
        return list(self._lines)

    def topic(self, channel: str, subject: str) -> Topic:
        return Topic(list(self._channels).index(channel), channel, subject)

    def subscribe(self, topic: Topic, subscriber: Subscriber, view: View) -> list[bytes]:
        """Add a subscriber; return what it gets at once."""
        line = self._lines.get(topic)
        if line is None:
            line = _Line(self._channels[topic.channel].feed(topic.subject), {})
            self._lines = dict(sorted([*self._lines.items(), (topic, line)]))
        line.subscribers[subscriber] = None
        if isinstance(line.feed, TradesFeed | AllTradesFeed):
            aged = self._faults.take(FaultKind.OLD_TRADE, topic.channel, topic.subject)
            if aged is not None:
                return line.feed.last(_earlier(view, aged.seconds))
        return line.feed.initial(view)

    def lingers(self, topic: Topic) -> float:
        """Return for how many seconds data keeps coming after an unsubscription."""
        fault = self._faults.take(FaultKind.LINGER, topic.channel, topic.subject)
        return 0.0 if fault is None else fault.seconds

    def unsubscribe(self, topic: Topic, subscriber: Subscriber) -> None:
        line = self._lines.get(topic)
        if line is None:
            return
        line.subscribers.pop(subscriber, None)
        if not line.subscribers:
            del self._lines[topic]

    def step(self, after_ms: int, now_ms: int, on_grid: bool) -> None:
        """Push everything that happened in after_ms < time <= now_ms."""
        view = View(self._market, now_ms)
        for topic, line in list(self._lines.items()):
            messages = line.feed.step(after_ms, view, on_grid)
            if self._faults.touches_pushes:
                messages = self._faults.pushes(topic.channel, topic.subject, messages, now_ms)
            if messages:
                self._send(line, messages)

    def _send(self, line: _Line, messages: list[bytes]) -> None:
        frames = b"".join(map(text_frame, messages))
        for subscriber in line.subscribers:
            subscriber.push(messages, frames)
        self.pushed += len(messages) * len(line.subscribers)


def _earlier(view: View, seconds: float) -> View:
    return View(view.market, view.now_ms - int(seconds * 1000))
