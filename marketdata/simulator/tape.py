"""A recorded run of trades, replayed as a market."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Final

import numpy as np

from marketdata.simulator import decimals
from marketdata.simulator.bars import Bars, bars_of
from marketdata.simulator.hashing import Integers
from marketdata.simulator.instruments import Instrument, tape_instrument
from marketdata.simulator.market import MINUTE_MS
from marketdata.simulator.matches import Matches

COLUMNS: Final = ("trade_id", "time_ms", "price", "size", "side")
_SIDES: Final = frozenset({"buy", "sell"})


@dataclass(frozen=True, slots=True)
class TapeRow:
    """One line of a tape: `count` matches of which `trade_id` is the last."""

    line: int
    trade_id: int
    time_ms: int
    price: str
    size: str
    is_buy: bool
    count: int


class TapeMarket:
    """One instrument with the trades of a file: nothing before them, nothing after."""

    def __init__(self, file: Path, symbol: str) -> None:
        rows = read_tape(file)
        prices = max(decimals.digits_of(row.price) for row in rows)
        sizes = max(decimals.digits_of(row.size) for row in rows)
        self._instrument = tape_instrument(symbol, prices, sizes)
        self._matches = _matches(rows, self._instrument)
        self._name = file.name
        times = self._matches.times
        self._first_minute = int(times[0]) // MINUTE_MS
        self._bars = bars_of(
            self._instrument,
            self._matches,
            self._first_minute,
            int(times[-1]) // MINUTE_MS + 1,
            int(self._matches.ticks[0]),
        )

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return {self._instrument.symbol: self._instrument}

    @property
    def identity(self) -> str:
        ids = self._matches.ids
        return f"tape {self._name}, {self._instrument.symbol}, ids {ids[0]} to {ids[-1]}"

    @property
    def start_ms(self) -> int:
        """The time of the first trade."""
        return int(self._matches.times[0])

    @property
    def end_ms(self) -> int | None:
        return int(self._matches.times[-1])

    def first_minute(self, symbol: str) -> int:
        return self._first_minute

    def matches(self, symbol: str, after_ms: int, until_ms: int) -> Matches:
        return self._matches.between(after_ms, until_ms)

    def matches_before(self, symbol: str, before_id: int, limit: int) -> Matches:
        end = int(np.searchsorted(self._matches.ids, before_id))
        return self._matches[max(0, end - limit) : end]

    def last_id(self, symbol: str, now_ms: int) -> int:
        seen = int(np.searchsorted(self._matches.times, now_ms, side="right"))
        return int(self._matches.ids[seen - 1] if seen else self._matches.ids[0] - 1)

    def bars(self, symbol: str, first_minute: int, end_minute: int) -> Bars:
        return self._bars.between(first_minute, end_minute)


def read_tape(file: Path) -> list[TapeRow]:
    """Return the rows of a tape, plain or gzipped CSV.

    Raises ValueError naming the line where a column is missing or wrong, or where ids or times
    do not rise.
    """
    with open_text(file) as stream:
        reader = csv.DictReader(stream)
        if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(f"{file}: expected the columns {','.join(COLUMNS)}; no {missing[0]}")
        rows = list(_rows(file, reader))
    if not rows:
        raise ValueError(f"{file}: a tape needs at least one trade")
    for before, row in pairwise(rows):
        _check_order(file, before, row)
    return rows


def open_text(file: Path) -> IO[str]:
    """Open a file that may be gzipped, for reading text."""
    return gzip.open(file, "rt") if file.suffix == ".gz" else file.open()


def _rows(file: Path, reader: csv.DictReader[str]) -> Iterator[TapeRow]:
    for cells in reader:
        try:
            yield _row(reader.line_num, cells)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}, line {reader.line_num}: {error}") from None


def _row(line: int, cells: dict[str, str]) -> TapeRow:
    side, count = cells["side"], int(cells.get("count") or 1)
    if side not in _SIDES:
        raise ValueError(f"expected buy or sell, was {side!r}")
    if count < 1:
        raise ValueError(f"expected a count of at least 1, was {count}")
    for name in ("price", "size"):
        if decimals.units(cells[name], 18) <= 0:
            raise ValueError(f"expected a {name} above 0, was {cells[name]!r}")
    numbers = (int(cells["trade_id"]), int(cells["time_ms"]))
    return TapeRow(line, *numbers, cells["price"], cells["size"], side == "buy", count)


def _check_order(file: Path, before: TapeRow, row: TapeRow) -> None:
    if row.trade_id - row.count < before.trade_id:
        raise ValueError(f"{file}, line {row.line}: trade {row.trade_id} does not follow the last")
    if row.time_ms < before.time_ms:
        raise ValueError(f"{file}, line {row.line}: time {row.time_ms} goes back")


def _matches(rows: list[TapeRow], instrument: Instrument) -> Matches:
    """Return single matches; a merged row becomes consecutive ids that share its size."""
    counts = np.array([row.count for row in rows], np.int64)
    lots = np.array([decimals.units(row.size, instrument.size_digits) for row in rows], np.int64)
    if np.any(short := lots < counts):
        line = rows[int(np.flatnonzero(short)[0])].line
        raise ValueError(f"line {line}: the size is too small for that many matches")
    ticks = [decimals.units(row.price, instrument.price_digits) for row in rows]
    last_ids = np.array([row.trade_id for row in rows], np.int64)
    ends = np.cumsum(counts)
    rank = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    columns = {
        "ids": np.repeat(last_ids - counts + 1, counts) + rank,
        "times": np.repeat(np.array([row.time_ms for row in rows], np.int64), counts),
        "ticks": np.repeat(np.array(ticks, np.int64), counts),
        "buys": np.repeat(np.array([row.is_buy for row in rows]), counts),
    }
    last = rank == np.repeat(counts, counts) - 1
    split = np.repeat(lots // counts, counts) + np.where(last, np.repeat(lots % counts, counts), 0)
    starts = rank == 0 if bool(np.any(counts > 1)) else _order_starts(columns)
    none = np.zeros(len(rank), np.bool_)
    return Matches(**columns, lots=split, elp=none, starts=starts)


def _order_starts(columns: dict[str, Integers]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return where a new taker order or price begins, when the tape itself does not say."""
    starts = np.ones(len(columns["ids"]), np.bool_)
    same = [columns[name][1:] == columns[name][:-1] for name in ("times", "ticks", "buys")]
    starts[1:] = ~(same[0] & same[1] & same[2])
    starts[1:] |= np.diff(columns["ids"]) != 1
    return starts
