"""Three tellings of one account, which must agree: its ledger, its fills, and the kernel."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Balances:
    """What an account holds: quote currency, units of size, and the fees it has paid."""

    cash: Decimal
    position: Decimal
    fees: Decimal


@dataclass(frozen=True, slots=True)
class Books:
    """What is told of one account; `kernel` is None before its first run.

    `unposted` are fills that are not in the ledger, `unbalanced` postings that do not sum to zero.
    """

    ledger: Balances
    fills: Balances
    kernel: Balances | None
    unposted: int = 0
    unbalanced: int = 0


def differences(books: Books) -> dict[str, dict[str, str]]:
    """Return what does not agree, by name, with what each side says; empty when all does."""
    sides = {"ledger": books.ledger, "fills": books.fills, "kernel": books.kernel}
    told = {name: asdict(side) for name, side in sides.items() if side is not None}
    found = {}
    for figure in Balances.__dataclass_fields__:
        values = {name: side[figure] for name, side in told.items()}
        if len(set(values.values())) > 1:
            found[figure] = {name: f"{value.normalize():f}" for name, value in values.items()}
    for name in ("unposted", "unbalanced"):
        if number := getattr(books, name):
            found[name] = {"number": str(number)}
    return found
