"""What all bots of one owner together may lose or risk, judged in each quote currency by itself.

Profit is what accounts are worth above what was put into them, so that neither a new bot nor one
that is taken away looks like a gain or a loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)
MAX_DAILY_LOSS: Final = "max_daily_loss"
MAX_DRAWDOWN: Final = "max_drawdown"
MAX_EXPOSURE: Final = "max_exposure"


@dataclass(frozen=True, slots=True)
class Account:
    """One bot's account at its last close; amounts in its quote currency.

    `day` is the UTC day number of that close, `day_equity` the equity when that day began, and
    `exposure` what its position is worth, above 0 on either side.
    """

    quote: str
    capital: Decimal
    equity: Decimal
    day: int
    day_equity: Decimal
    exposure: Decimal
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """The accounts of one quote currency together."""

    capital: Decimal = ZERO
    equity: Decimal = ZERO
    profit: Decimal = ZERO
    day_equity: Decimal = ZERO
    exposure: Decimal = ZERO

    @property
    def day_loss(self) -> Decimal:
        """What was lost since the day began; below 0 for a gain."""
        return self.day_equity - self.equity


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares; None for no limit."""

    max_daily_loss: Decimal | None = None
    max_drawdown: Decimal | None = None
    max_exposure: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that was reached, with the numbers that it was judged by."""

    limit: str
    quote: str
    share: Decimal
    allowed: Decimal
    numbers: Mapping[str, Decimal]


def totals(accounts: Iterable[Account], today: int) -> dict[str, Total]:
    """Return the sums by quote currency; `today` is the UTC day number by the exchange's clock.

    An account whose last close is of an earlier day has lost nothing today. Of deleted ones only
    the profit counts: it was made, or lost, all the same.
    """
    found: dict[str, Total] = {}
    for one in accounts:
        total = found.get(one.quote, Total())
        total = replace(total, profit=total.profit + one.equity - one.capital)
        if not one.is_deleted:
            total = replace(
                total,
                capital=total.capital + one.capital,
                equity=total.equity + one.equity,
                day_equity=total.day_equity + (one.day_equity if one.day == today else one.equity),
                exposure=total.exposure + one.exposure,
            )
        found[one.quote] = total
    return found


def raised_peaks(found: Mapping[str, Total], peaks: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the highest profit so far by quote currency; at the start it is none, not a loss."""
    return {
        quote: max(total.profit, peaks.get(quote, max(ZERO, total.profit)))
        for quote, total in found.items()
    }


def breaches(
    found: Mapping[str, Total], peaks: Mapping[str, Decimal], limits: Limits
) -> list[Breach]:
    """Return the limits that are reached; `peaks` as raised with these very totals."""
    return [
        breach
        for quote, total in sorted(found.items())
        for breach in (
            _daily_loss(quote, total, limits.max_daily_loss),
            _drawdown(quote, total, peaks[quote], limits.max_drawdown),
            _exposure(quote, total, limits.max_exposure),
        )
        if breach is not None
    ]


def _daily_loss(quote: str, total: Total, allowed: Decimal | None) -> Breach | None:
    numbers = {"day_equity": total.day_equity, "equity": total.equity, "loss": total.day_loss}
    return _judged(MAX_DAILY_LOSS, quote, total.day_loss, total.day_equity, allowed, numbers)


def _drawdown(quote: str, total: Total, peak: Decimal, allowed: Decimal | None) -> Breach | None:
    lost, highest = peak - total.profit, total.capital + peak
    numbers = {
        "capital": total.capital,
        "highest_equity": highest,
        "equity": highest - lost,
        "loss": lost,
    }
    return _judged(MAX_DRAWDOWN, quote, lost, highest, allowed, numbers)


def _exposure(quote: str, total: Total, allowed: Decimal | None) -> Breach | None:
    numbers = {"exposure": total.exposure, "equity": total.equity}
    return _judged(MAX_EXPOSURE, quote, total.exposure, total.equity, allowed, numbers)


def _judged(
    limit: str,
    quote: str,
    part: Decimal,
    whole: Decimal,
    allowed: Decimal | None,
    numbers: Mapping[str, Decimal],
) -> Breach | None:
    """Return the breach where `part` is at least the allowed share of `whole`."""
    if allowed is None or part <= 0 or part < allowed * whole:
        return None
    # With nothing left every loss is all of it.
    share = part / whole if whole > 0 else Decimal(1)
    return Breach(limit, quote, share, allowed, numbers)
