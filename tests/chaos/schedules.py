"""A run's disturbances: which, where and how bad, all of it from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from marketdata.simulator.faults import FaultKind

KILLS: Final = ("kill collect", "kill light", "kill beat", "restart postgres", "restart valkey")

_REST: Final = ("history-trades", "trades", "history-candles", "candles", "time", None)
_PUSHES: Final = ("trades-all", "candle1m", "tickers", None)
_ENDS: Final = ("business", "public", None)


@dataclass(frozen=True, slots=True)
class Strike:
    """Something done to the processes at `at_s` seconds of exchange time after the start."""

    at_s: float
    what: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What goes wrong in one run: `faults` as the control endpoint takes them."""

    faults: list[dict[str, Any]]
    strikes: list[Strike]


def schedule_of(
    seed: int, symbols: tuple[str, ...], length_s: float, longest_cut_s: float
) -> Schedule:
    """Return every kind of fault once or twice, a cut, and three to five strikes at processes.

    Everything begins between a tenth and eight tenths of the run's `length_s` of exchange time.
    """
    chance = random.Random(seed)
    kinds = [kind for kind in FaultKind if kind is not FaultKind.CUT]
    # Each refusal doubles the wait for the next attempt: more of them take longer than a run.
    kinds += chance.choices([kind for kind in kinds if kind is not FaultKind.REFUSE], k=6)
    faults = [_fault(chance, kind, symbols) for kind in kinds]
    faults.append({"kind": "cut", "seconds": round(chance.uniform(60, longest_cut_s))})
    for fault in faults:
        fault["after"] = _place(chance, length_s)
    strikes = [
        Strike(_place(chance, length_s), chance.choice(KILLS)) for _ in range(chance.randint(3, 5))
    ]
    return Schedule(faults, sorted(strikes, key=lambda strike: strike.at_s))


def _place(chance: random.Random, length_s: float) -> float:
    return round(chance.uniform(0.1, 0.8) * length_s, 3)


def _fault(chance: random.Random, kind: FaultKind, symbols: tuple[str, ...]) -> dict[str, Any]:
    """Return a fault of a kind; `seconds` as in `Fault`: of wall or of exchange time."""
    symbol = chance.choice((*symbols, None))
    trades: dict[str, Any] = {"channel": "trades-all", "instId": symbol}
    pushes = {"channel": chance.choice(_PUSHES), "instId": symbol}
    rest = {"path": chance.choice(_REST)}
    ends = {"path": chance.choice(_ENDS)}
    wall_s = round(chance.uniform(0.3, 3.0), 2)
    few, many = chance.randint(1, 4), chance.randint(1, 60)
    chosen: dict[str, Any] = {
        FaultKind.DROP: {**trades, "count": many},
        FaultKind.DUPLICATE: {**trades, "count": many},
        FaultKind.REORDER: {**trades, "count": few + 1},
        FaultKind.UNKNOWN_KEYS: {**pushes, "count": many},
        FaultKind.MALFORMED: {**pushes, "count": few},
        FaultKind.SILENCE: {**pushes, "seconds": wall_s},
        FaultKind.LATE_CONFIRM: {
            "channel": "candle1m",
            "instId": symbol,
            "count": few,
            "seconds": 30 * few,
        },
        FaultKind.REFUSE: {**pushes, "count": min(few, 3)},
        FaultKind.DATA_BEFORE_ACK: {**pushes, "count": few},
        FaultKind.OLD_TRADE: {**trades, "count": few, "seconds": 60 * many},
        FaultKind.LINGER: {**pushes, "count": few, "seconds": wall_s},
        FaultKind.RATE_LIMIT: {**rest, "count": 2 * few},
        FaultKind.UNAVAILABLE: {**rest, "count": 2 * few},
        FaultKind.EMPTY: {**rest, "count": few},
        FaultKind.STALE: {**rest, "count": few, "seconds": 5 * many},
        FaultKind.STALL: {**ends, "seconds": wall_s, "pong": chance.random() < 0.5},
        FaultKind.DISCONNECT: ends,
        FaultKind.CLOSE: ends,
        FaultKind.UPGRADE: {**ends, "seconds": wall_s},
    }
    return {"kind": kind.value, **chosen[kind]}
