"""What a benchmark returns, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; `target` says what is asked of it, in words a reader can check."""

    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    note: str = ""

    def row(self) -> str:
        """Return the figure as a row of a Markdown table."""
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        value = f"{format_value(self.value)} {self.unit}"
        return f"| {self.name} | {value} | {self.target} | {verdict} | {self.note} |"


HEADER = "| figure | value | target | | note |\n|---|---|---|---|---|"


def format_value(value: float) -> str:
    """Return `value` with three significant digits and thousands separated."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: list[float], percent: float) -> float:
    """Return the nearest-rank percentile of `values`, which must not be empty."""
    ordered = sorted(values)
    rank = max(0, min(len(ordered) - 1, round(percent / 100 * len(ordered)) - 1))
    return ordered[rank]
