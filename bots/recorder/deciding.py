"""The decisions that changed what a bot wants, with what they were made by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import connection

from bots.domain.running import Outcome
from bots.domain.stepping import Step
from bots.recorder.quotes import best_prices
from marketdata.models import from_ms

_INSERT: Final = """
insert into bots_signal (bot_id, run_id, time, before, target, why, price, bid, ask, is_missed,
    decided_at)
select given.*, now()
from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::integer[], %s::integer[],
    %s::jsonb[], %s::numeric[], %s::float8[], %s::float8[], %s::boolean[]) as given
"""

Row = tuple[Any, ...]


def write_decisions(outcomes: Sequence[Outcome]) -> None:
    """Store each change of what a strategy wants; all bots are of one instrument."""
    steps = [step for outcome in outcomes for step in outcome.steps]
    closes = {decision.close_ms for step in steps for decision in step.decisions}
    if not closes:
        return
    quotes = best_prices(outcomes[0].run.group.instrument_id, closes)
    rows = [row for one in outcomes for step in one.steps for row in _rows(one, step, quotes)]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])


def _rows(outcome: Outcome, step: Step, quotes: dict[int, tuple[float, float]]) -> Iterator[Row]:
    prices = dict(zip(step.closes_ms.tolist(), step.closes.tolist(), strict=True))
    for one in step.decisions:
        why = outcome.decided.why(one.close_ms) if outcome.decided else {}
        yield (
            outcome.bot.id,
            outcome.run.id,
            from_ms(one.close_ms),
            one.before,
            one.target,
            json.dumps(why),
            outcome.run.units.price(prices[one.close_ms]),
            *quotes.get(one.close_ms, (None, None)),
            one.is_missed,
        )
