"""What must hold of every bot at the end of a soak, whatever happened on the way."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bots.models import Bot, BotPerformance, BotRun, ParityReport
from bots.parity.reporting import make_report
from bots.reconciling import accounts, reconcile
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import to_ms
from tcpdashboard.common.models import Alert
from tests.soak.driving import Watched

_MORE_MEMORY = 1.15
_MORE_SESSIONS = 4


def findings(bots: int) -> Iterator[str]:
    """Yield what is wrong with the bots; nothing when all is as it should be."""
    runs = list(BotRun.objects.select_related("bot", "instrument").order_by("pk"))
    if len({run.bot_id for run in runs}) != bots:
        yield f"{len({run.bot_id for run in runs})} of {bots} bots have a run"
    for run in runs:
        yield from _parity(run)
        yield from _minutes(run)
    if len(list(accounts())) != bots:
        yield "some bots have no ledger"
    for bot_id, different in reconcile().items():
        yield f"bot {bot_id}: {different}"
    for bot in Bot.objects.exclude(state="stopped"):
        yield f"{bot} is {bot.state}: {bot.last_error}"
    for alert in Alert.objects.filter(kind="ledger_unbalanced"):
        yield f"{alert}: {alert.message}"


def held(watched: Watched) -> Iterator[str]:
    """Yield what grew on the way and should not have."""
    for pid, sizes in watched.memory.items():
        quarter = len(sizes) // 4
        # Shorter lives say nothing: a process fills its caches first.
        if quarter >= 50:
            before, after = median(sizes[quarter : 2 * quarter]), median(sizes[-quarter:])
            if after > before * _MORE_MEMORY:
                yield f"process {pid} grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB"
    for name, counts in (("database", watched.sessions), ("Valkey", watched.clients)):
        quarter = len(counts) // 4
        if quarter:
            early, late = max(counts[: 2 * quarter]), median(counts[-quarter:])
            if late > early + _MORE_SESSIONS:
                yield f"{name}: {late:.0f} connections at the end, {early} at most before"


def _parity(run: BotRun) -> Iterator[str]:
    report = make_report(run.pk, ParityReport.Reason.ASKED)
    if report.known != ParityReport.Verdict.MATCHED:
        yield f"{run} ({run.strategy} {run.timeframe}): {report.known_divergence}"


def _minutes(run: BotRun) -> Iterator[str]:
    """Yield what is missing of the closes of a run, or is there and should not be.

    A row for each candle of its timeframe whose last minute it saw: the key of the rows keeps any
    from being there twice.
    """
    step_ms = Timeframe(run.timeframe).ms
    end_ms = to_ms(run.end) if run.end is not None else to_ms(run.start)
    left_out = {
        to_ms(open_time) + MINUTE_MS
        for open_time in run.seen.filter(revision__lt=0).values_list("open_time", flat=True)
    }
    first_ms = to_ms(run.start) // step_ms * step_ms + step_ms
    wanted = set(range(first_ms, end_ms + 1, step_ms)) - left_out
    rows = BotPerformance.objects.filter(bot_id=run.bot_id, run=run)
    there = {to_ms(time) for time in rows.values_list("time", flat=True)}
    if there != wanted:
        lacks, extra = sorted(wanted - there)[:3], sorted(there - wanted)[:3]
        yield f"{run}: {len(there)} of {len(wanted)} closes; lacks {lacks}, besides {extra}"
