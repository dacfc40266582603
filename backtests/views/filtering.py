"""What narrows the lists of backtests and of searches, as their addresses say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from backtests.forms.asking import title_of
from marketdata.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which rows are wanted; empty is all. What is unknown counts as empty."""

    strategy: str = ""
    symbol: str = ""
    timeframe: str = ""
    state: str = ""
    tag: str = ""
    q: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], states: Collection[str]) -> ListFilter:
        """Read it from an address; `states` are those that can be asked for."""
        given = {name: query.get(name, "").strip()[:64] for name in cls.__slots__}
        if given["timeframe"] not in list(Timeframe):
            given["timeframe"] = ""
        if given["state"] not in states:
            given["state"] = ""
        return cls(**given)

    @property
    def is_set(self) -> bool:
        """Whether it leaves anything out."""
        return any(getattr(self, name) for name in self.__slots__)

    def apply(self, rows: QuerySet[Any]) -> Any:
        """Return the rows that are wanted, whatever their state."""
        plain = {
            "strategy": self.strategy,
            "instrument__symbol": self.symbol,
            "timeframe": self.timeframe,
            "tags__contains": self.tag,
        }
        found = rows.filter(**{name: value for name, value in plain.items() if value})
        if self.q:
            found = found.filter(Q(notes__icontains=self.q) | Q(tags__icontains=self.q))
        return found


def choices_of(rows: QuerySet[Any], states: Collection[str]) -> dict[str, Any]:
    """Return what the selects above a list of `rows` offer."""
    unordered = rows.order_by()
    keys = unordered.values_list("strategy", flat=True).distinct().order_by("strategy")
    symbols = unordered.values_list("instrument__symbol", flat=True).distinct()
    return {
        "strategies": [(key, title_of(key)) for key in keys],
        "symbols": symbols.order_by("instrument__symbol"),
        "timeframes": [each.value for each in Timeframe],
        "states": list(states),
    }


def older_than(rows: QuerySet[Any], before: str) -> Any:
    """Return the rows before a number, as an address gives it; all without a usable one."""
    is_number = before.isascii() and before.isdigit() and len(before) < 19
    return rows.filter(pk__lt=int(before)) if is_number else rows


def query_without(query: Any, name: str) -> str:
    """Return an address's query without one of its names."""
    kept = query.copy()
    kept.pop(name, None)
    text: str = kept.urlencode()
    return text
