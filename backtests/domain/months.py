"""Returns by calendar month, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from backtests.domain.records import Integers

_MONTH: Final = "datetime64[M]"
_MS: Final = "datetime64[ms]"


@dataclass(frozen=True, slots=True)
class MonthReturn:
    """What the equity grew by in one month, or the part of it that was lived through.

    `share` is None where nothing was left at the month's beginning.
    """

    year: int
    month: int
    share: float | None


def monthly_returns(times_ms: Integers, equity: Integers, start: int) -> list[MonthReturn]:
    """Return every month's return; the first is counted from the initial balance `start`.

    `times_ms` are close times: a close at 00:00 of the 1st ends the month before.
    """
    months = (times_ms - 1).astype(_MS).astype(_MONTH)
    last = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    ends = equity[last].tolist()
    begins = [start, *ends[:-1]]
    return [
        MonthReturn(number // 12 + 1970, number % 12 + 1, end / begin - 1.0 if begin > 0 else None)
        for number, begin, end in zip(months[last].astype(int).tolist(), begins, ends, strict=True)
    ]


def year_return(months: list[MonthReturn]) -> float | None:
    """Return what months in a row come to together; None where one is unknown."""
    product = 1.0
    for month in months:
        if month.share is None:
            return None
        product *= 1.0 + month.share
    return product - 1.0
