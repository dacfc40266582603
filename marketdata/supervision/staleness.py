"""Says which instruments' feeds are stale, in the sense of the trading rules.

A feed is stale when the exchange's clock has gone on without an event of the instrument, or when
nothing at all comes any more. A quiet market is neither: its candle channel pushes every minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.db.models.functions import Now

from marketdata.models import Collector, Instrument
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

FEED_STALE: Final = "feed_stale"
LISTED: Final = "live"

_WATCHED: Final = "feeds_watched"
_TURNS: Final = 5


@dataclass(frozen=True, slots=True)
class FeedAge:
    """How old the newest event of an instrument is.

    `event_age_s` is exchange time, by the clock of its collector; `silence_s` is wall time since
    that clock last moved.
    """

    event_age_s: float
    silence_s: float

    def why_stale(self, stale_s: float, silent_s: float) -> str:
        """Return why the feed is stale, as the end of a sentence; empty when it is not."""
        if self.silence_s > silent_s:
            return f"its collector has received nothing for {self.silence_s:.0f} s"
        if self.event_age_s > stale_s:
            return f"the exchange's clock went on for {self.event_age_s:.0f} s without it"
        return ""


def sweep_feeds(exchange: str, watched_s: float = float("inf")) -> list[str]:
    """Raise an alert for each feed that is stale and end those that are not; return the stale.

    `watched_s` is for how long feeds have been watched. Below FEED_SILENT_SECONDS no alert is
    raised: collectors may just be starting.
    """
    stale = stale_feeds(exchange)
    kind = Alert.objects.open().filter(kind=FEED_STALE, subject__startswith=f"{exchange}:")
    known = set(kind.values_list("subject", flat=True))
    for subject in known - stale.keys():
        end_alert(FEED_STALE, subject)
    is_early = watched_s < settings.FEED_SILENT_SECONDS
    for subject in () if is_early else stale.keys() - known:
        reason, collector = stale[subject]
        raise_alert(
            FEED_STALE,
            subject,
            f"{subject} is stale: {reason}. Collector {collector} says how its channels are.",
            details={"collector": collector},
        )
    return sorted(stale)


def watched_s(now_s: float) -> float:
    """Return for how many seconds feeds have been watched, and note that they are at `now_s`.

    The watch begins anew when nobody watched for half of FEED_SILENT_SECONDS, or for a few turns:
    everything was stopped then, collectors too. A process that looks after them and dies again and
    again does not begin it anew, or no feed would ever be told.
    """
    pause_s = max(settings.FEED_SILENT_SECONDS / 2, _TURNS * settings.COLLECTOR_SWEEP_SECONDS)
    began_s, last_s = cache.get(_WATCHED, (now_s, now_s))
    if not 0 <= now_s - last_s <= pause_s:
        began_s = now_s
    cache.set(_WATCHED, (began_s, now_s), timeout=None)
    return float(now_s - began_s)


def stale_feeds(exchange: str) -> dict[str, tuple[str, str]]:
    """Return the stale feeds as exchange:symbol, each with the reason and its collector's name.

    Only instruments that are to be collected and that the exchange trades can be stale.
    """
    expected = _expected(exchange)
    limits = (settings.FEED_STALE_SECONDS, settings.FEED_SILENT_SECONDS)
    stale = {}
    running = Collector.objects.filter(exchange=exchange, desired=Collector.Desired.RUNNING)
    for row in running.exclude(heartbeat_at=None).annotate(now=Now()):
        for symbol in expected.get(row.pk, ()):
            age = feed_age(row, symbol, row.now)
            if age is not None and (reason := age.why_stale(*limits)):
                stale[f"{exchange}:{symbol}"] = (reason, row.name)
    return stale


def feed_age(row: Collector, symbol: str, now: datetime) -> FeedAge | None:
    """Return what a collector's last full report says of an instrument; None when nothing."""
    report: dict[str, Any] | None = row.channels.get(symbol)
    if report is None or row.heartbeat_at is None:
        return None
    clock_ms = row.counters.get("exchange_ms", 0)
    since_report_s = max(0.0, (now - row.heartbeat_at).total_seconds())
    return FeedAge(
        event_age_s=max(0.0, (clock_ms - report["event_ms"]) / 1000),
        silence_s=row.counters.get("silence_s", 0.0) + since_report_s,
    )


def _expected(exchange: str) -> dict[int, list[str]]:
    rows = Instrument.objects.enabled().filter(exchange=exchange, state=LISTED)
    expected: dict[int, list[str]] = {}
    for symbol, collector in rows.exclude(collector=None).values_list("symbol", "collector_id"):
        expected.setdefault(collector, []).append(symbol)
    return expected
