"""The part of a socket that no exchange is special in: what it is subscribed to, and what waits."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.settings import CollectorSettings

Channel = tuple[str, str]
"""A channel's name and its subject, mostly an instrument: what one subscription is for."""

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"

SUBSCRIBE_ATTEMPTS: Final = 3
LONGEST_RETRY_S: Final = 3600.0
MOST_HELD: Final = 150_000


class Socket(ABC):
    """One connection with its subscriptions, used once.

    `ready` is set when everything is subscribed, `leaving` when a new connection should replace
    this one. `joined` is called with each channel that is subscribed later than that.
    """

    def __init__(self, channels: Collection[Channel], settings: CollectorSettings) -> None:
        self.ready = asyncio.Event()
        self.leaving = asyncio.Event()
        # Ready, with nothing held back, as a plain value: it is looked at for every message.
        self.is_ready = False
        self.received = 0
        self.refused: dict[Channel, str] = {}
        self.joined: Callable[[Channel], None] = _nobody
        self._channels = set(channels)
        self._unanswered = set(channels)
        self._settings = settings
        self._changes: asyncio.Queue[tuple[str, frozenset[Channel]]] = asyncio.Queue()
        self._held: list[Callable[[], None]] | None = None

    @abstractmethod
    async def run(self) -> None:
        """Connect, read and keep `subscribe` running beside it.

        Always ends by ExchangeUnavailable, with the reason, or by being cancelled.
        """

    @abstractmethod
    async def ask(self, wish: str, channels: Collection[Channel]) -> None:
        """Send as few requests as possible to SUBSCRIBE or UNSUBSCRIBE `channels`."""

    async def subscribe(self) -> None:
        """Ask for all channels until each is answered, then follow what is asked of the socket."""
        for _ in range(SUBSCRIBE_ATTEMPTS):
            await self.ask(SUBSCRIBE, self._unanswered)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.ack_within_s):
                    await self.ready.wait()
                break
        else:
            raise ExchangeUnavailable(f"{len(self._unanswered)} subscriptions not answered")
        await self._follow()

    def add(self, channels: Collection[Channel]) -> None:
        """Subscribe `channels` too."""
        self._channels |= set(channels)
        self._changes.put_nowait((SUBSCRIBE, frozenset(channels)))

    def remove(self, channels: Collection[Channel]) -> None:
        """End the subscription of `channels`; late messages of them may still come."""
        self._channels -= set(channels)
        for channel in channels:
            self._answered(channel)
            self.refused.pop(channel, None)
        self._changes.put_nowait((UNSUBSCRIBE, frozenset(channels)))

    def renew(self, channels: Collection[Channel]) -> None:
        """Subscribe `channels` anew, because nothing comes of them."""
        self._changes.put_nowait((UNSUBSCRIBE, frozenset(channels)))
        self._changes.put_nowait((SUBSCRIBE, frozenset(channels)))

    def is_subscribed(self, channel: Channel) -> bool:
        """Whether the exchange has taken the subscription."""
        return (
            channel in self._channels
            and channel not in self._unanswered
            and channel not in self.refused
        )

    def acknowledged(self, channel: Channel) -> None:
        """Take the answer to a subscription."""
        if self.refused.pop(channel, None) is not None:
            self.joined(channel)
        self._answered(channel)

    def refuse(self, channel: Channel, code: str) -> bool:
        """Take a refusal: this channel does not come, the others still do. False: none of ours."""
        if channel not in self._channels:
            return False
        self.refused[channel] = code
        self._answered(channel)
        return True

    def deliver(self, channel: Channel, take: Callable[[], None]) -> None:
        """Call `take`, which passes on a message of `channel`, now or when nothing is held back.

        The first data of a channel may come before the answer to its subscription.
        """
        self._answered(channel)
        if self._held is None:
            take()
            return
        self._held.append(take)
        if len(self._held) >= MOST_HELD:
            self.release()

    def hold(self) -> None:
        """Hold messages back while an older socket delivers the same ones.

        Two sockets are never equally fast: the new one being ahead would look like a hole.
        """
        self._held = []
        self.is_ready = False

    def release(self) -> None:
        """Pass on what was held back and everything from now on."""
        held, self._held = self._held or [], None
        for take in held:
            take()
        self.is_ready = self.ready.is_set()

    def _answered(self, channel: Channel) -> None:
        if channel not in self._unanswered:
            return
        self._unanswered.discard(channel)
        if self.ready.is_set():
            if channel not in self.refused:
                self.joined(channel)
        elif not self._unanswered:
            self.ready.set()
            self.is_ready = self._held is None

    async def _follow(self) -> None:
        """Send what is asked for, again what was not answered, and now and then the refused."""
        attempts, pause_s = 0, self._settings.refused_retry_s
        now = asyncio.get_running_loop().time
        # A time, not a pause: other channels' changes must not put it off again and again.
        retry_at = now() + pause_s
        while True:
            wait_s = self._settings.ack_within_s if self._unanswered else retry_at - now()
            try:
                async with asyncio.timeout(wait_s):
                    wish, channels = await self._changes.get()
            except TimeoutError:
                if self._unanswered:
                    attempts += 1
                    if attempts >= SUBSCRIBE_ATTEMPTS:
                        missing = len(self._unanswered)
                        raise ExchangeUnavailable(f"{missing} subscriptions not answered") from None
                    await self.ask(SUBSCRIBE, self._unanswered)
                    continue
                if self.refused:
                    # An instrument may be listed later.
                    await self.ask(SUBSCRIBE, self.refused.keys())
                    pause_s = min(pause_s * 2, LONGEST_RETRY_S)
                retry_at = now() + pause_s
                continue
            attempts = 0
            if wish == SUBSCRIBE:
                channels &= self._channels
                self._unanswered |= channels
            if channels:
                await self.ask(wish, channels)


async def until_first_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run `works` side by side until one of them ends; raise what it raised, cancel the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _nobody(channel: Channel) -> None:
    """Nobody waits for the channel."""
