"""How an instrument's feed is, in one word and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from marketdata.models import Collector, Instrument

# A heartbeat comes every few seconds; a worker that was killed is taken over within 20 s.
_SILENT_AFTER: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Feed:
    """`state` is live, stale or off: what colours go by; `word` is what people read."""

    state: str
    word: str
    advice: str


_OFF: Final = Feed("off", "Off", "It is not being collected.")
_LIVE: Final = Feed("live", "Live", "Trades arrive and are stored.")
_WAITING: Final = Feed("stale", "Waiting", "Its collector has not started yet.")
_SILENT: Final = Feed(
    "stale", "Stale", "Its collector is silent; it is started again by itself within seconds."
)
_BY_STATE: Final = {
    Collector.State.STARTING: Feed("stale", "Starting", "Its collector is connecting."),
    Collector.State.DEGRADED: Feed("stale", "Degraded", "Its collector repairs missing trades."),
    Collector.State.FAILED: Feed("off", "Failed", "Its collector has failed; see its last error."),
    Collector.State.STOPPED: Feed("off", "Stopped", "Its collector is stopped."),
}


def feed_of(instrument: Instrument, now: datetime) -> Feed:
    """Return the state of the instrument's feed at `now`, by its collector's last heartbeat."""
    collector = instrument.collector
    if not instrument.is_enabled:
        return _OFF
    if collector is None:
        return _WAITING
    if collector.state in _BY_STATE:
        return _BY_STATE[Collector.State(collector.state)]
    is_silent = collector.heartbeat_at is None or now - collector.heartbeat_at > _SILENT_AFTER
    return _SILENT if is_silent else _LIVE
