"""Recorded trades of other exchanges, made into tapes."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from marketdata.simulator.tape import COLUMNS, open_text

TapeLine = tuple[int, int, str, str, str]


def convert(name: str, source: Path, target: Path) -> int:
    """Write the trades of `source`, in the format called `name`, as a tape; return how many.

    The target is gzipped when its name ends in .gz. Raises ValueError for an unknown format or a
    file that is not of it.
    """
    if name not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}; was {name!r}")
    with open_text(source) as stream:
        try:
            lines = list(FORMATS[name](stream))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{source} is no {name} recording: {error!r}") from None
    with (
        gzip.open(target, "wt", newline="")
        if target.suffix == ".gz"
        else target.open("w", newline="") as out
    ):
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(lines)
    return len(lines)


def _binance_spot(stream: IO[str]) -> Iterator[TapeLine]:
    """Read local_recv_ns, trade_id, trade_time_ms, price, qty, buyer_is_maker."""
    for row in csv.DictReader(stream):
        side = "sell" if row["buyer_is_maker"] in ("1", "true", "True") else "buy"
        yield int(row["trade_id"]), int(row["trade_time_ms"]), row["price"], row["qty"], side


def _kraken(stream: IO[str]) -> Iterator[TapeLine]:
    """Read the answer of Kraken's Trades: price, volume, time in s, side, type, misc, id."""
    result = json.load(stream)["result"]
    pair = next(name for name in result if name != "last")
    for price, volume, time_s, side, _type, _misc, trade_id in result[pair]:
        yield trade_id, int(time_s * 1000), price, volume, "buy" if side == "b" else "sell"


FORMATS: Final[dict[str, Callable[[IO[str]], Iterator[TapeLine]]]] = {
    "binance-spot": _binance_spot,
    "kraken": _kraken,
}
