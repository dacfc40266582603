"""Which connection brings which channels: instruments spread over as many as the limits ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from marketdata.collector.channels import ChannelFacts, channel_state
from marketdata.collector.complaints import Complaints
from marketdata.collector.feed import Channels, Feed
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import Channel, Socket
from marketdata.domain.sharding import place, shard_name

Paths = Mapping[str, tuple[str, ...]]


class Feeds:
    """The feeds of one collector, by name: a kind of socket is one or several of them.

    `open_socket`, `live` and `lost` are those of `Feed`, the first with the kind in front.
    """

    def __init__(
        self,
        open_socket: Callable[[str, Channels], Socket],
        live: Callable[[Channels], Coroutine[Any, Any, None]],
        lost: Callable[[Channels], None],
        settings: CollectorSettings,
        complaints: Complaints,
    ) -> None:
        self.by_name: dict[str, Feed] = {}
        self._open_socket, self._live, self._lost = open_socket, live, lost
        self._settings, self._complaints = settings, complaints
        self._paths: Paths = {}
        self._common: Mapping[str, Collection[Channel]] = {}
        # Which socket of its kind has an instrument, and what runs each feed.
        self._shards: dict[str, dict[str, int]] = {}
        self._holding: dict[str, asyncio.Task[None]] = {}
        # Channels of single instruments, beside those that all have: the kind of socket by channel.
        self._extra: dict[Channel, str] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def start(
        self, tasks: asyncio.TaskGroup, paths: Paths, common: Mapping[str, Collection[Channel]]
    ) -> None:
        """Open sockets in `tasks` from now on, for these kinds and their channels."""
        self._tasks, self._paths, self._common = tasks, paths, common

    def subscribe(self, symbols: set[str]) -> None:
        """Give the channels of `symbols` to sockets that have room, or to new ones."""
        for path in {**self._paths, **self._common}:
            self._subscribe(path, symbols)

    def add(self, path: str, channel: Channel) -> None:
        """Subscribe one more channel of an instrument, on the socket of a kind that has it."""
        feed = self.of(path, channel[1])
        if feed is not None and channel not in self._extra:
            self._extra[channel] = path
            feed.add({channel})

    def remove(self, channel: Channel) -> None:
        """End the subscription of a channel that was added."""
        path = self._extra.pop(channel, None)
        if path is not None and (feed := self.of(path, channel[1])):
            feed.remove({channel})

    async def leave(self, symbols: set[str]) -> None:
        """End the subscriptions of `symbols`, and the sockets that have none left."""
        for channel in [channel for channel in self._extra if channel[1] in symbols]:
            self.remove(channel)
        for path, names in self._paths.items():
            for symbol in symbols:
                if feed := self.of(path, symbol):
                    feed.remove({(name, symbol) for name in names})
                self._shards[path].pop(symbol, None)
        for name in [name for name, feed in self.by_name.items() if not feed.channels]:
            holding = self._holding.pop(name)
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            del self.by_name[name]

    def of(self, path: str, symbol: str) -> Feed | None:
        """Return the feed of a kind that has an instrument."""
        shard = self._shards.get(path, {}).get(symbol)
        return None if shard is None else self.by_name.get(shard_name(path, shard))

    def by_channel(self, symbol: str) -> dict[str, Feed]:
        """Return the feed of each of an instrument's channels."""
        named = [(path, name) for path, names in self._paths.items() for name in names]
        named += [(path, name) for (name, of), path in list(self._extra.items()) if of == symbol]
        return {name: feed for path, name in named if (feed := self.of(path, symbol)) is not None}

    def common_health(self) -> dict[str, dict[str, str]]:
        """Return how the channels are that belong to no instrument, by their names.

        They may be silent for days: subscribed they are live while their socket is.
        """
        feeds, refused = list(self.by_name.values()), self.refused()
        told = {}
        for channel in sorted(channel for common in self._common.values() for channel in common):
            feed = next((feed for feed in feeds if channel in feed.channels), None)
            facts = ChannelFacts(
                is_subscribed=feed is not None and feed.is_live and feed.is_subscribed(channel),
                is_refused=channel in refused,
            )
            state, name = channel_state(facts).value, "" if feed is None else feed.name
            told[" ".join(filter(None, channel))] = {"state": state, "feed": name}
        return told

    def are_live(self) -> bool:
        """Whether all that bring instruments are live; without the others collection goes on."""
        names = {
            shard_name(path, shard)
            for path, shards in list(self._shards.items())
            for shard in list(shards.values())
        }
        feeds = [self.by_name.get(name) for name in names]
        return bool(feeds) and all(feed is not None and feed.is_live for feed in feeds)

    def refused(self) -> dict[Channel, str]:
        """Return the channels that the exchange does not give, with its codes."""
        feeds = list(self.by_name.values())
        return {channel: code for feed in feeds for channel, code in feed.refused.items()}

    def _subscribe(self, path: str, symbols: set[str]) -> None:
        """An instrument's channels stay together: what one says is held against the others."""
        names, common = self._paths.get(path, ()), self._common.get(path, ())
        present = self._shards.setdefault(path, {})
        room = max(1, (self._settings.channels_per_connection - len(common)) // max(1, len(names)))
        placed = place({*present, *symbols}, present, room) if names else {}
        wanted: dict[int, set[Channel]] = {1: set() if path in self.by_name else set(common)}
        for symbol in symbols & placed.keys():
            present[symbol] = placed[symbol]
            channels = wanted.setdefault(placed[symbol], set())
            channels |= {(name, symbol) for name in names}
        for shard, channels in wanted.items():
            if channels:
                self._extend(path, shard_name(path, shard), channels)

    def _extend(self, path: str, name: str, channels: set[Channel]) -> None:
        if name in self.by_name:
            self.by_name[name].add(channels)
            return
        assert self._tasks is not None, "started before anything is subscribed"
        feed = self.by_name[name] = Feed(
            name,
            channels,
            lambda channels: self._open_socket(path, channels),
            self._live,
            self._lost,
            self._settings,
            self._complaints,
        )
        self._holding[name] = self._tasks.create_task(feed.run(), name=f"feed {name}")
