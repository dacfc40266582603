"""The lists of the Data page: gaps, differing minutes, locks and backfills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, QuerySet

from marketdata.backfills import BACKFILL
from marketdata.models import (
    LIVE_STATES,
    CandleConflict,
    DataGap,
    GapState,
    Instrument,
    RangeLock,
)
from tcpdashboard.common.models import Job
from tcpdashboard.common.rights import may_change

MOST_ROWS: Final = 50
_MOST_JOBS: Final = 12
_LIVE: Final = "live"

GAP_CHOICES: Final = {
    _LIVE: "Missing now",
    **{state.value: state.label for state in GapState},
    "all": "All",
}
"""What the list of gaps may be narrowed to, by the word in the address."""


@dataclass(frozen=True, slots=True)
class GapFilter:
    """Which gaps are wanted; empty is all. What is unknown counts as empty."""

    state: str = _LIVE
    kind: str = ""
    cause: str = ""
    symbol: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> GapFilter:
        """Read it from an address."""
        return cls(
            state=_one_of(query.get("state"), GAP_CHOICES, _LIVE),
            kind=_one_of(query.get("kind"), DataGap.Kind.values),
            cause=_one_of(query.get("cause"), DataGap.Cause.values),
            symbol=query.get("symbol", "")[:64],
        )

    def apply(self, gaps: QuerySet[DataGap]) -> QuerySet[DataGap]:
        """Return those of `gaps` that are wanted."""
        plain = {"kind": self.kind, "cause": self.cause, "instrument__symbol": self.symbol}
        found = gaps.filter(**{name: value for name, value in plain.items() if value})
        if self.state == _LIVE:
            return found.filter(state__in=LIVE_STATES)
        return found if self.state == "all" else found.filter(state=self.state)


def gaps_context(exchange: str, query: Mapping[str, str], user: Any) -> dict[str, Any]:
    """Return the newest gaps of an exchange that are asked for, and how many are in each state."""
    chosen = GapFilter.of(query)
    of_exchange = DataGap.objects.filter(instrument__exchange=exchange)
    counts = dict(of_exchange.order_by().values_list("state").annotate(number=Count("pk")))
    found = chosen.apply(of_exchange).select_related("instrument").order_by("-opened_at", "-pk")
    gaps = list(found[: MOST_ROWS + 1])
    return {
        "exchange": exchange,
        "gaps": gaps[:MOST_ROWS],
        "has_more_gaps": len(gaps) > MOST_ROWS,
        "gap_filter": chosen,
        "gap_choices": [
            (value, label, _counted(value, counts)) for value, label in GAP_CHOICES.items()
        ],
        "gap_kinds": DataGap.Kind.choices,
        "gap_causes": DataGap.Cause.choices,
        "missing_gaps": _counted(_LIVE, counts),
        "may_repair": may_change(user, DataGap),
    }


def differences_context(exchange: str, user: Any) -> dict[str, Any]:
    """Return the minutes of which two sources still say different things."""
    rows = CandleConflict.objects.filter(
        instrument__exchange=exchange, state=CandleConflict.State.OPEN
    )
    found = list(rows.select_related("instrument").order_by("-open_time", "-pk")[: MOST_ROWS + 1])
    return {
        "exchange": exchange,
        "differences": [_difference(row) for row in found[:MOST_ROWS]],
        "has_more_differences": len(found) > MOST_ROWS,
        "may_decide": may_change(user, CandleConflict),
    }


def locks_context(exchange: str, user: Any) -> dict[str, Any]:
    """Return the ranges of the exchange's instruments that a person has locked."""
    rows = RangeLock.objects.filter(instrument__exchange=exchange)
    return {
        "exchange": exchange,
        "locks": list(rows.select_related("instrument", "made_by")[:MOST_ROWS]),
        "may_lock": may_change(user, RangeLock),
    }


def backfills_context(exchange: str, user: Any) -> dict[str, Any]:
    """Return the newest backfills of the exchange, with what the person may do to each."""
    jobs = Job.objects.filter(kind=BACKFILL.name, parameters__exchange=exchange)
    found = jobs.select_related("owner").order_by("-pk")[:_MOST_JOBS]
    may_order = may_change(user, Job)
    return {
        "exchange": exchange,
        "backfills": [
            {
                "job": job,
                "may_order": may_order or job.owner_id == user.pk,
                "may_follow": user.is_staff or job.owner_id == user.pk,
            }
            for job in found
        ],
        "may_backfill": may_change(user, Instrument),
    }


def _difference(row: CandleConflict) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume")
    both = [(name, getattr(row, f"our_{name}"), getattr(row, f"their_{name}")) for name in names]
    return {
        "row": row,
        "end": row.open_time + timedelta(minutes=1),
        "both": [(name, ours, theirs, ours != theirs) for name, ours, theirs in both],
    }


def _counted(choice: str, counts: Mapping[str, int]) -> int:
    if choice == _LIVE:
        return sum(counts.get(state.value, 0) for state in LIVE_STATES)
    return sum(counts.values()) if choice == "all" else counts.get(choice, 0)


def _one_of(value: str | None, known: Any, otherwise: str = "") -> str:
    return value if value is not None and value in known else otherwise
