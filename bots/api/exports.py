"""Fills, ledger and equity of a bot as files, read and sent a block at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any, Final

import orjson
from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework.request import Request

from bots.models import Bot, BotPerformance, Fill, LedgerEntry
from tcpdashboard.common.streaming import streamed

_BLOCK: Final = 2_000
_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one kind: where they are, the column they are read along, and their columns."""

    rows: Callable[[Bot], QuerySet[Any]]
    along: str
    columns: tuple[str, ...]


KINDS: Final = {
    "fills": Kind(
        lambda bot: Fill.objects.filter(bot=bot),
        "id",
        (
            "id",
            "time",
            "decided",
            "reason",
            "quantity",
            "price",
            "fee",
            "slippage",
            "cash",
            "position",
            "realised",
            "cost",
            "run_id",
        ),
    ),
    "ledger": Kind(
        lambda bot: LedgerEntry.objects.filter(bot=bot),
        "id",
        ("id", "posting", "time", "account", "currency", "amount", "fill_id", "run_id"),
    ),
    "equity": Kind(
        lambda bot: BotPerformance.objects.filter(bot=bot),
        "time",
        ("time", "equity", "cash", "position", "price", "drawdown", "run_id"),
    ),
}


def export(request: Request, bot: Bot, kind: str, suffix: str) -> HttpResponseBase:
    """Return all rows of one kind of a bot as a CSV or JSON file."""
    found = KINDS[kind]
    blocks = _csv(bot, found) if suffix == "csv" else _json(bot, found)
    name = f"bot-{bot.pk}-{kind}.{suffix}"
    return streamed(request._request, blocks, _TYPES[suffix], name)


def _blocks(bot: Bot, kind: Kind) -> Iterator[list[Sequence[Any]]]:
    """Yield the rows in blocks, oldest first; each block is a statement of its own."""
    rows, place = kind.rows(bot).order_by(kind.along), kind.columns.index(kind.along)
    after: dict[str, Any] = {}
    while block := list(rows.filter(**after).values_list(*kind.columns)[:_BLOCK]):
        yield block
        after = {f"{kind.along}__gt": block[-1][place]}


def _csv(bot: Bot, kind: Kind) -> Iterator[str]:
    yield _lines([kind.columns])
    for block in _blocks(bot, kind):
        yield _lines([[_text(value) for value in row] for row in block])


def _json(bot: Bot, kind: Kind) -> Iterator[str]:
    start = "["
    for block in _blocks(bot, kind):
        rows = [dict(zip(kind.columns, map(_value, row), strict=True)) for row in block]
        yield start + orjson.dumps(rows).decode()[1:-1]
        start = ","
    yield "[]" if start == "[" else "]"


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _value(value: Any) -> Any:
    return _text(value) if isinstance(value, Decimal | datetime) else value


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.isoformat() if isinstance(value, datetime) else value
