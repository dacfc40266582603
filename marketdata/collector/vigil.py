"""Watches the channels of all instruments and says how each is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marketdata.collector.channels import ChannelFacts, channel_state
from marketdata.collector.feed import Feed
from marketdata.collector.lane import Lane
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import Channel
from marketdata.collector.watchdog import InstrumentWatch


class Vigil:
    """`watched` maps trades, candles, tickers and books to the exchange's names of these channels.

    `stand_in` brings the trades where the channel that should is refused.
    """

    def __init__(
        self, settings: CollectorSettings, watched: Mapping[str, str], stand_in: str = ""
    ) -> None:
        self._settings = settings
        self._kinds = {channel: kind for kind, channel in watched.items()}
        if stand_in:
            self._kinds[stand_in] = "trades"
        self._watches: dict[str, InstrumentWatch] = {}

    def look(
        self, lane: Lane, feeds: Mapping[str, Feed], now_s: float
    ) -> Iterator[tuple[Channel, int]]:
        """Yield the channels of an instrument that died, with how often since they last spoke."""
        subscribed = {
            kind: (channel, lane.symbol)
            for channel, kind in self._kinds.items()
            if channel in feeds and feeds[channel].is_subscribed((channel, lane.symbol))
        }
        watch = self._watch(lane.symbol)
        for kind in watch.dead(lane.activity, now_s, subscribed):
            yield subscribed[kind], watch.channels[kind].verdicts

    def shown(
        self,
        lane: Lane,
        channel: str,
        feed: Feed,
        refused: Mapping[Channel, str],
        now_ms: int,
        now_s: float,
    ) -> dict[str, Any]:
        """Return the state of one channel, its feed, and seconds since it was last heard."""
        kind = self._kinds.get(channel)
        watch = None if kind is None else self._watch(lane.symbol).channels[kind]
        age_s = None if watch is None else watch.age_s(now_s)
        facts = ChannelFacts(
            is_subscribed=feed.is_subscribed((channel, lane.symbol)),
            is_refused=(channel, lane.symbol) in refused,
            is_stale=kind in ("trades", "candles")
            and now_ms - lane.event_ms > self._settings.stale_exchange_ms,
            is_repairing=kind == "trades" and bool(lane.stream.holes),
            verdicts=0 if watch is None else watch.verdicts,
            age_s=age_s,
            silence_s=float("inf") if watch is None else watch.silence_s,
        )
        return {
            "state": channel_state(facts).value,
            "feed": feed.name,
            "age_s": None if age_s is None else round(age_s, 1),
        }

    def forget(self, symbol: str) -> None:
        """Watch an instrument no more."""
        self._watches.pop(symbol, None)

    def _watch(self, symbol: str) -> InstrumentWatch:
        settings = self._settings
        if symbol not in self._watches:
            limits = (settings.channel_silence_s, settings.candle_silence_s)
            self._watches[symbol] = InstrumentWatch(*limits)
        return self._watches[symbol]
