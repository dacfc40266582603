"""What the database takes for the rows of a step alone: the ceiling of everything around them."""

from __future__ import annotations

import io
import time
from typing import Any, Final

from tests.benchmarks.market import execute

_NUMBERED: Final = (
    "bots_signal",
    "bots_order",
    "bots_fill",
    "bots_ledgerentry",
    "bots_botevent",
)
_WORTH: Final = "bots_botperformance"
# As a step leaves a bot, with room beside each row.
_BOTS: Final = """
create table bare_bots_bot (like bots_bot including all) with (fillfactor = 50);
insert into bare_bots_bot select * from bots_bot where id = any(%s);
"""
_MOVE: Final = """
update bare_bots_bot set cursor = cursor + interval '1 minute', kernel = kernel || ''::bytea,
    heartbeat_at = now()
"""


class WrittenRows:
    """The rows that are written from now on, apart from those of other bots than `ids`."""

    def __init__(self, ids: list[int]) -> None:
        self._ids = ids
        self._last = {
            name: execute(f"select coalesce(max(id), 0) from {name}")[0][0] for name in _NUMBERED
        }
        newest = f"select max(time) from {_WORTH} where bot_id = any(%s)"
        self._worth_after = execute(newest, [ids])[0][0]

    def copied_again(self) -> tuple[int, float]:
        """Return how many rows there are, and the seconds of writing them once more, bare.

        One COPY for each table, with its indexes and checks but without triggers and references,
        and one UPDATE of the bots' rows, in one transaction.
        """
        from django.db import transaction

        contents = {name: self._content(name) for name in (*_NUMBERED, _WORTH)}
        for name in contents:
            execute(f"create table bare_{name} (like {name} including all)")
        execute(_BOTS, [self._ids])
        execute("vacuum analyze bare_bots_bot")
        began = time.perf_counter()
        with transaction.atomic():
            rows = sum(_copy_in(f"bare_{name}", content) for name, content in contents.items())
            execute(_MOVE)
        took = time.perf_counter() - began
        for name in (*contents, "bots_bot"):
            execute(f"drop table bare_{name}")
        return rows + len(self._ids), took

    def _content(self, name: str) -> bytes:
        which = f"bot_id between {min(self._ids)} and {max(self._ids)} and "
        if name in self._last:
            which += f"id > {self._last[name]}"
        else:
            which += f"time > '{self._worth_after.isoformat()}'"
        out = io.BytesIO()
        _copy(f"copy (select * from {name} where {which}) to stdout (format binary)", out)
        return out.getvalue()


def _copy_in(name: str, content: bytes) -> int:
    return _copy(f"copy {name} from stdin (format binary)", io.BytesIO(content))


def _copy(statement: str, stream: Any) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.copy_expert(statement, stream)
        return int(cursor.rowcount)
