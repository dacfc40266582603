"""How an instrument's feed is, in one word and a sentence.

A page begins with what is known when it is made; its script goes on with the same words as the
collectors tell their states.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from marketdata.models import Collector, Instrument, to_ms

# A heartbeat comes every few seconds; a worker that was killed is taken over within 20 s.
_SILENT_AFTER: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Feed:
    """`state` is live, stale or off: what colours go by; `word` is what people read."""

    key: str
    state: str
    word: str
    advice: str


_ALL: Final = (
    Feed("off", "off", "Off", "It is not being collected."),
    Feed("waiting", "stale", "Waiting", "Its collector has not started yet."),
    Feed("silent", "stale", "Stale", "Its collector is silent; it is started again by itself."),
    Feed(Collector.State.LIVE.value, "live", "Live", "Trades arrive and are stored."),
    Feed(Collector.State.STARTING.value, "stale", "Starting", "Its collector is connecting."),
    Feed(
        Collector.State.DEGRADED.value,
        "stale",
        "Degraded",
        "Part of its collector's connections are down; what is missed is fetched afterwards.",
    ),
    Feed(
        Collector.State.FAILED.value,
        "off",
        "Failed",
        "Its collector has failed; see its last error.",
    ),
    Feed(Collector.State.STOPPED.value, "off", "Stopped", "Its collector is stopped."),
    # What only a page that is open can see.
    Feed("quiet", "stale", "Quiet", "No new price has come for two minutes."),
    Feed("away", "stale", "No connection", "This page is cut off: its figures are old."),
)
FEEDS: Final = {feed.key: feed for feed in _ALL}
"""Every feed a page can show, by its key: a state of collectors, or one of the others."""


def feed_of(instrument: Instrument, now: datetime) -> Feed:
    """Return the state of the instrument's feed at `now`, by its collector's last heartbeat."""
    collector = instrument.collector
    if not instrument.is_enabled:
        return FEEDS["off"]
    if collector is None:
        return FEEDS["waiting"]
    is_silent = collector.heartbeat_at is None or now - collector.heartbeat_at > _SILENT_AFTER
    if collector.state == Collector.State.LIVE and is_silent:
        return FEEDS["silent"]
    return FEEDS[collector.state]


def feed_settings(now: datetime) -> dict[str, Any]:
    """Return what a page's script needs to go on by itself; times are milliseconds."""
    return {
        "now_ms": to_ms(now),
        "silent_ms": _SILENT_AFTER // timedelta(milliseconds=1),
        "feeds": {key: asdict(feed) for key, feed in FEEDS.items()},
    }
