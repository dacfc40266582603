"""Pages of what is too long for one table, by the number that an address gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 9
"""Digits of a number that can mean a page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a table; pages are counted from 1."""

    number: int
    count: int
    """All pages: 1 of a table without a row."""
    rows: slice
    """The rows of the table that are on it."""

    @property
    def earlier(self) -> int | None:
        """The number of the page before it; None on the first."""
        return self.number - 1 if self.number > 1 else None

    @property
    def later(self) -> int | None:
        """The number of the page after it; None on the last."""
        return self.number + 1 if self.number < self.count else None


def page_of(asked: str, total: int, size: int) -> Page:
    """Return the page of `total` rows, `size` on each, that an address asks for.

    The nearest one there is; the first for what is no number.
    """
    count = max(1, -(-total // size))
    is_number = asked.isascii() and asked.isdigit() and len(asked) <= _LONGEST
    number = min(max(int(asked), 1), count) if is_number else 1
    return Page(number, count, slice((number - 1) * size, number * size))
