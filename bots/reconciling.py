"""Holding every bot's ledger against its fills and the kernel, with an alert where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.db import connection

from backtests.domain.records import STATE
from backtests.domain.units import Units
from bots.domain.balances import Balances, Books, differences
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

LEDGER_UNBALANCED: Final = "ledger_unbalanced"

# One statement, so that all of it is of one moment: bots trade on meanwhile. What was put in is
# taken from the ledger for the fills' telling too: nothing else says it.
_BOOKS: Final = """
with posted as (
    select bot_id,
        coalesce(sum(amount) filter (where account = 'cash'), 0) as cash,
        coalesce(sum(amount) filter (where account = 'position'), 0) as position,
        coalesce(sum(amount) filter (where account = 'fees'), 0) as fees,
        coalesce(-sum(amount) filter (where account = 'capital'), 0) as capital
    from bots_ledgerentry group by bot_id
), unbalanced as (
    select bot_id, count(*) as number from (
        select bot_id from bots_ledgerentry
        group by bot_id, posting, currency having sum(amount) <> 0
    ) as postings group by bot_id
), filled as (
    select fill.bot_id, sum(quantity) as position, sum(fee) as fees,
        sum(quantity * price * instrument.contract_value + fee) as paid,
        count(*) filter (where not exists (
            select from bots_ledgerentry as entry where entry.fill_id = fill.id
        )) as unposted
    from bots_fill as fill
    join bots_botrun as run on run.id = fill.run_id
    join marketdata_instrument as instrument on instrument.id = run.instrument_id
    group by fill.bot_id
)
select bot.id, bot.name, bot.owner_id, bot.kernel, run.units,
    posted.cash, posted.position, posted.fees,
    posted.capital - coalesce(filled.paid, 0), coalesce(filled.position, 0),
    coalesce(filled.fees, 0), coalesce(filled.unposted, 0), coalesce(unbalanced.number, 0)
from bots_bot as bot
join posted on posted.bot_id = bot.id
left join filled on filled.bot_id = bot.id
left join unbalanced on unbalanced.bot_id = bot.id
left join bots_botrun as run on run.id = bot.run_id
order by bot.id
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A bot and what is told of its account."""

    bot_id: int
    name: str
    owner_id: int
    books: Books


def reconcile() -> dict[int, dict[str, dict[str, str]]]:
    """Compare the books of every bot that ever had money; return what differs, by bot.

    Raises an alert for each bot whose books differ, and ends those of bots that agree again.
    """
    found = {}
    for account in accounts():
        different = differences(account.books)
        if different:
            found[account.bot_id] = different
            _raise(account, different)
    agreed = Alert.objects.open().filter(kind=LEDGER_UNBALANCED)
    for subject in agreed.exclude(subject__in=map(_subject, found)).values_list(
        "subject", flat=True
    ):
        end_alert(LEDGER_UNBALANCED, subject)
    return found


def accounts() -> Iterator[Account]:
    """Yield what is told of every account, as of one moment."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOKS)
        rows = cursor.fetchall()
    for bot_id, name, owner_id, kernel, units, *sums in rows:
        ledger, fills = Balances(*sums[:3]), Balances(*sums[3:6])
        books = Books(ledger, fills, _kernel(kernel, units), *sums[6:])
        yield Account(bot_id, name, owner_id, books)


def _kernel(stored: Any, units: str | None) -> Balances | None:
    if stored is None or units is None:
        return None
    state = np.frombuffer(bytes(stored), STATE)[0]
    made = Units.from_json(json.loads(units))
    return Balances(
        cash=made.amount(int(state["cash"])),
        position=made.quantity(int(state["lots"])),
        fees=made.amount(int(state["fees"])),
    )


def _raise(account: Account, different: dict[str, dict[str, str]]) -> None:
    told = "; ".join(
        f"{figure}: " + ", ".join(f"{side} {value}" for side, value in sides.items())
        for figure, sides in different.items()
    )
    raise_alert(
        LEDGER_UNBALANCED,
        _subject(account.bot_id),
        f"The books of bot {account.name} do not agree ({told}). Stop it and report this: "
        "nothing but a fault of the program or of the database makes them differ.",
        severity=Alert.Severity.CRITICAL,
        details=different,
        owner_id=account.owner_id,
    )


def _subject(bot_id: int) -> str:
    return f"bot:{bot_id}"
