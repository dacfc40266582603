"""Candles as text: CSV read with every error named by its line, CSV and JSON written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from marketdata.domain.decimals import to_units
from marketdata.domain.errors import InvalidRecord
from marketdata.domain.quality import candle_faults
from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Candles, Source
from marketdata.domain.timeframe import Timeframe

REQUIRED: Final = ("open_time_ms", "open", "high", "low", "close", "volume")
OPTIONAL: Final = ("quote_volume", "trade_count", "first_trade_id", "last_trade_id", "minutes")
HEADER: Final = (*REQUIRED, *OPTIONAL)
SHOWN: Final = 20
"""Errors of a file that are spelt out; the others are only counted."""

_PRICES: Final = ("open", "high", "low", "close")
_BLOCK_ROWS: Final = 20_000
# In any order and with others between them; a column twice would hide a mistake.
_KNOWN: Final = frozenset(HEADER)
# 0 marks the candle that was forming when a chart was exported.
_CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class LoadedCandles:
    """The candles of a file, and what the file did not say: the steps are the finest found."""

    candles: Candles
    tick_size: Decimal
    lot_size: Decimal
    is_quote_estimated: bool


class InvalidFile(InvalidRecord):
    """A file of candles breaks rules: `errors` are all of them, each with its line."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        shown = f", the first {SHOWN} of them" if len(errors) > SHOWN else ""
        super().__init__("\n".join([f"{count} in the file{shown}:", *errors[:SHOWN]]))


def parse_candles(text: str, timeframe: Timeframe = Timeframe.M1) -> LoadedCandles:
    """Return the candles of a CSV file with a header; all of them or none.

    Needs the columns of REQUIRED, takes those of OPTIONAL and ignores others, but for candles whose
    column `closed` is 0: they were still forming and are left out. Unknown counts and
    ids are -1. A quote volume that is not given is estimated as volume x (high + low + close) / 3.
    The source is IMPORTED. Raises InvalidFile with every line that breaks a rule.
    """
    header, *lines = text.rstrip().splitlines() or [""]
    names = [name.strip() for name in header.removeprefix("\ufeff").split(",")]
    _check_header(names)
    is_closed = _are_closed(names, lines)
    if not is_closed.any():
        raise InvalidFile(["line 2: there is no candle in the file"])
    candles = _empty(len(lines), timeframe)
    errors, line_numbers = _fill(candles, names, lines)
    line_numbers = line_numbers[is_closed[line_numbers - 2]]
    candles = candles[line_numbers - 2]
    is_estimated = "quote_volume" not in names
    if is_estimated:
        typical = (candles["high"] + candles["low"] + candles["close"]) / 3
        candles["quote_volume"] = candles["volume"] * typical
    faults = candle_faults(candles, timeframe)
    errors += [(int(line_numbers[fault.row]), fault.reason) for fault in faults]
    odd = (candles["minutes"] < 0) | (candles["minutes"] > timeframe.minutes)
    errors += [
        (line, f"minutes is not between 0 and {timeframe.minutes}")
        for line in line_numbers[odd].tolist()
    ]
    if errors:
        raise InvalidFile([f"line {line}: {reason}" for line, reason in sorted(errors)])
    prices = np.concatenate([candles[name] for name in _PRICES])
    return LoadedCandles(candles, _step(prices), _step(candles["volume"]), is_estimated)


def csv_pieces(candles: Candles) -> Iterator[str]:
    """Yield `candles` as CSV that `parse_candles` reads back to the same figures."""
    yield ",".join(HEADER) + "\n"
    for start in range(0, len(candles), _BLOCK_ROWS):
        block = candles[start : start + _BLOCK_ROWS]
        columns = [_texts(block, name) for name in HEADER]
        yield "".join(",".join(row) + "\n" for row in zip(*columns, strict=True))


def json_pieces(candles: Candles) -> Iterator[str]:
    """Yield `candles` as one JSON object with an array for each column of HEADER."""
    for place, name in enumerate(HEADER):
        yield f"{'{' if place == 0 else ', '}{json.dumps(name)}: "
        yield json.dumps(candles[name].tolist())
    yield "}\n"


def _check_header(names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    errors = [f"line 1: the column {name} is missing" for name in missing]
    errors += [f"line 1: the column {name} is there twice" for name in twice]
    if errors:
        raise InvalidFile([*errors, f"line 1: expected the header {','.join(REQUIRED)}[,…]"])


def _are_closed(names: list[str], lines: list[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if _CLOSED not in names:
        return np.ones(len(lines), dtype=np.bool_)
    place = names.index(_CLOSED)
    values = (line.split(",")[place : place + 1] for line in lines)
    return np.array([value != ["0"] for value in values], dtype=np.bool_)


def _empty(number: int, timeframe: Timeframe) -> Candles:
    candles = np.zeros(number, dtype=CANDLE_DTYPE)
    candles["trade_count"] = candles["first_trade_id"] = candles["last_trade_id"] = UNKNOWN
    candles["minutes"] = timeframe.minutes
    candles["source"] = Source.IMPORTED
    return candles


def _fill(
    candles: Candles, names: list[str], lines: list[str]
) -> tuple[list[tuple[int, str]], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Put the lines into `candles`; return the errors and the numbers of the good lines."""
    used = [place for place, name in enumerate(names) if name in _KNOWN]
    if all(line.count(",") == len(names) - 1 for line in lines):
        row = np.dtype([(names[place], CANDLE_DTYPE[names[place]]) for place in used])
        try:
            rows = np.loadtxt(lines, dtype=row, delimiter=",", comments=None, usecols=used, ndmin=1)
        except ValueError:
            pass
        else:
            for name in row.names or ():
                candles[name] = rows[name]
            return [], np.arange(2, len(lines) + 2)
    return _fill_slowly(candles, names, lines)


def _fill_slowly(
    candles: Candles, names: list[str], lines: list[str]
) -> tuple[list[tuple[int, str]], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    errors = []
    good = []
    for place, line in enumerate(lines):
        try:
            for name, value in zip(names, _fields(line, len(names)), strict=True):
                if name in _KNOWN:
                    candles[name][place] = _number(name, value)
        except ValueError as error:
            errors.append((place + 2, str(error)))
        else:
            good.append(place + 2)
    return errors, np.array(good, dtype=np.intp)


def _fields(line: str, number: int) -> list[str]:
    fields = line.split(",")
    if len(fields) != number:
        raise ValueError(f"expected {number} fields, found {len(fields)}")
    return fields


def _number(name: str, text: str) -> float | int:
    is_whole = np.issubdtype(CANDLE_DTYPE[name], np.integer)
    try:
        return int(text) if is_whole else float(text)
    except ValueError:
        kind = "whole number" if is_whole else "number"
        raise ValueError(f"{name} is not a {kind}: {text!r}") from None


def _step(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Decimal:
    return Decimal(1).scaleb(-to_units(values, 0).decimals)


def _texts(candles: Candles, name: str) -> list[str]:
    return [repr(value).removesuffix(".0") for value in candles[name].tolist()]
