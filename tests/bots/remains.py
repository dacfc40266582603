"""Everything that bots leave behind, in every column that is the same whenever it happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.apps import apps
from django.db.models import Field, Model

from bots.models import (
    Bot,
    BotCommand,
    BotEvent,
    GroupState,
    OwnerLimits,
    OwnerVerdict,
    ParityReport,
)

WITHIN: Final = {"run": "run__number", "order": "order__number", "fill": "fill__number"}
"""What tells rows of one bot apart, instead of their ids."""
IDS: Final = frozenset({"id", "pk", "bot", "instrument", "config"})
CLOCKS: Final = frozenset(
    {
        *("at", "asked_at", "created_at", "decided_at", "filled_at", "heartbeat_at"),
        *("posted_at", "started_at", "used_at"),
    }
)
PASSED: Final = frozenset({"applied_at", "dropped_at", "ended_at", "deleted_at", "restart_at"})
"""Clocks of which only is compared whether they were set."""
HASHES: Final = {GroupState: {"key"}}
"""What is made of ids."""
APART: Final = frozenset({Bot, GroupState, OwnerLimits, OwnerVerdict, ParityReport})
"""Tables that no step writes, and the two that are read by themselves."""


def remains(bots: Iterable[Bot], symbol: str) -> dict[int, dict[str, list[Any]]]:
    """Return what there is of each bot by its id: its row, and its rows in every table.

    Names after the `symbol` of their market, in whatever case, are as they would be elsewhere.
    """
    ids = [bot.pk for bot in bots]
    found: dict[int, dict[str, list[Any]]] = {bot_id: {} for bot_id in ids}
    for bot_id, *row in _rows(Bot, "pk", ids):
        found[bot_id]["Bot"] = [_anywhere(row, symbol)]
    for table in apps.get_app_config("bots").get_models():
        if table in APART:
            continue
        of = "bot" if _has(table, "bot") else "run__bot"
        for told in found.values():
            told[table.__name__] = []
        for bot_id, *row in _rows(table, of, ids):
            found[bot_id][table.__name__].append(_anywhere(row, symbol))
    return found


def groups(instrument: Any) -> list[Any]:
    """Return where the groups of an instrument stand."""
    return [row[1:] for row in _rows(GroupState, "instrument", [instrument.pk])]


def columns(table: type[Model]) -> list[str]:
    """Return the columns that are compared."""
    skipped = IDS | CLOCKS | PASSED | HASHES.get(table, set())
    names = [field.name for field in _fields(table) if field.name not in skipped]
    return [WITHIN.get(name, name) for name in names]


def _rows(table: type[Model], of: str, ids: list[int]) -> Iterator[tuple[Any, ...]]:
    wanted = columns(table)
    passed = [field.name for field in _fields(table) if field.name in PASSED]
    # A command's and an event's order is that of their writing; all others have one of their own.
    order = ["pk"] if table in (BotCommand, BotEvent) else wanted
    rows = table._default_manager.filter(**{f"{of}__in": ids}).order_by(*order)
    for bot_id, *row in rows.values_list(of, *wanted, *passed):
        values = row[: len(wanted)], row[len(wanted) :]
        yield bot_id, *map(_plain, values[0]), *(value is not None for value in values[1])


def _anywhere(row: Iterable[Any], symbol: str) -> tuple[Any, ...]:
    def masked(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return value.replace(symbol, "SYMBOL").replace(symbol.lower(), "symbol")

    return tuple(map(masked, row))


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _has(table: type[Model], name: str) -> bool:
    return any(field.name == name for field in _fields(table))


def _fields(table: type[Model]) -> list[Field[Any, Any]]:
    return [field for field in table._meta.concrete_fields if field.name != "pk"]
