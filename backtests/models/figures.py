"""Figures in JSON columns."""

from __future__ import annotations

import json
from typing import Any


class Figures(json.JSONDecoder):
    """PostgreSQL writes a large figure, such as a CAGR after a day, as a whole number of digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, parse_int=_whole_or_float)


def _whole_or_float(digits: str) -> int | float:
    return int(digits) if len(digits) < 16 else float(digits)
