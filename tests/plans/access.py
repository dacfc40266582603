"""What PostgreSQL really does for a request, told by its own auto_explain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

BULK = ("marketdata_candle", "marketdata_trade")
FEW = 20_000
"""More rows than any capped count looks at, fewer than a table has."""

_PLAN = re.compile(r"duration: .*?plan:\n(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """One way into a bulk table: by which columns of its key, or in whatever order it lies.

    `is_whole` tells a scan from end to end from one that a LIMIT ends after some thousand rows.
    Whether such a scan goes along the table or along its key depends on when it was vacuumed.
    """

    table: str
    by_key: bool
    columns: tuple[str, ...] = ()
    is_whole: bool = False

    def __str__(self) -> str:
        if self.by_key:
            return f"{self.table}_pkey ({', '.join(self.columns)})"
        return f"{self.table}, {'from end to end' if self.is_whole else 'at most 10,001 rows'}"


@contextmanager
def plans_of_statements() -> Iterator[list[str]]:
    """Collect the plans of everything this thread's connection runs, COPY too, as JSON."""
    told: list[str] = []
    connection.ensure_connection()
    usual = connection.connection.notices
    with connection.cursor() as cursor:
        cursor.execute(
            "load 'auto_explain'; set auto_explain.log_min_duration = 0;"
            " set auto_explain.log_format = json; set auto_explain.log_level = notice;"
            " set auto_explain.log_nested_statements = on;"
            " set auto_explain.log_analyze = on; set auto_explain.log_timing = off"
        )
        connection.connection.notices = told
        try:
            yield told
        finally:
            # What a COPY told is taken in with the next statement's answer.
            cursor.execute("set auto_explain.log_min_duration = -1")
            connection.connection.notices = usual


def accesses(told: list[str]) -> set[Access]:
    """Return the ways into the bulk tables that the plans in `told` take."""
    return {access for plan in _plans(told) for access in _accesses(plan)}


def rows_read(told: list[str]) -> Counter[str]:
    """Return how many rows the plans in `told` looked at, by table."""
    read: Counter[str] = Counter()
    nodes = _plans(told)
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if table := node.get("Relation Name"):
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            read[table] += round(rows * node["Actual Loops"])
    return read


def _plans(told: list[str]) -> list[dict[str, Any]]:
    return [orjson.loads(found[1])["Plan"] for text in told if (found := _PLAN.search(text))]


def _accesses(node: dict[str, Any]) -> Iterator[Access]:
    if (table := node.get("Relation Name")) in BULK:
        columns = _columns(node.get("Index Cond") or node.get("Recheck Cond") or "")
        if columns:
            yield Access(table, by_key=True, columns=columns)
        else:
            read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            yield Access(table, by_key=False, is_whole=read > FEW)
    for inner in node.get("Plans", ()):
        yield from _accesses(inner)


def _columns(condition: str) -> tuple[str, ...]:
    names = ("instrument_id", "timeframe", "open_time", "executed_at", "trade_id")
    return tuple(name for name in names if re.search(rf"\b{name}\b", condition))
