"""Faults on demand: what may go wrong at a real exchange, by script or by request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec


class FaultKind(StrEnum):
    """What goes wrong; `docs/guides/simulated-exchange.md` describes each."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    UNKNOWN_KEYS = "unknown_keys"
    MALFORMED = "malformed"
    SILENCE = "silence"
    LATE_CONFIRM = "late_confirm"
    REFUSE = "refuse"
    DATA_BEFORE_ACK = "data_before_ack"
    OLD_TRADE = "old_trade"
    LINGER = "linger"
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"
    EMPTY = "empty"
    STALE = "stale"
    STALL = "stall"
    DISCONNECT = "disconnect"
    CLOSE = "close"
    UPGRADE = "upgrade"
    CUT = "cut"


ON_CONNECTIONS: Final = frozenset(
    {FaultKind.STALL, FaultKind.DISCONNECT, FaultKind.CLOSE, FaultKind.UPGRADE, FaultKind.CUT}
)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One order for trouble.

    `channel`, `inst_id` and `path` choose what it hits (None: everything); for REST faults `path`
    is the end of the address, such as "history-trades". `count` is how many pushes, subscriptions
    or requests it hits. `seconds` is wall time for silence, stall, linger and upgrade, exchange
    time for late_confirm, old_trade, stale and cut. It begins at exchange time `at` (ISO 8601,
    UTC) or `after` seconds of exchange time after the server's start; without either at once.
    """

    kind: FaultKind
    channel: str | None = None
    inst_id: str | None = None
    path: str | None = None
    count: int = 1
    seconds: float = 0.0
    pong: bool = True
    code: int = 4004
    reason: str = "No data received in 30s."
    at: datetime | None = None
    after: float | None = None

    def due_ms(self, started_ms: int) -> int:
        """Return the exchange time at which it begins."""
        if self.at is not None:
            at = self.at if self.at.tzinfo else self.at.replace(tzinfo=UTC)
            return int(at.timestamp() * 1000)
        return started_ms + int(self.after * 1000) if self.after is not None else 0


@dataclass(slots=True)
class _Active:
    fault: Fault
    left: int
    until_s: float
    held: list[tuple[int, bytes]] = field(default_factory=list)

    def hits(self, channel: str, symbol: str) -> bool:
        wanted = (self.fault.channel, self.fault.inst_id)
        return wanted[0] in (None, channel) and wanted[1] in (None, symbol)


def read_faults(text: str | bytes) -> list[Fault]:
    """Return the faults of a script: one JSON object, a JSON list, or a JSON object a line.

    Raises ValueError naming the line that is wrong.
    """
    raw = text.encode() if isinstance(text, str) else text
    if raw.lstrip().startswith(b"["):
        return msgspec.json.decode(raw, type=list[Fault])
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
    return [_line(number, line) for number, line in lines if not line.lstrip().startswith(b"#")]


def read_fault_file(file: Path) -> list[Fault]:
    """Return the faults of a script file."""
    return read_faults(file.read_bytes())


def _line(number: int, line: bytes) -> Fault:
    try:
        return msgspec.json.decode(line, type=Fault)
    except msgspec.DecodeError as error:
        raise ValueError(f"line {number}: {error}") from None


class Faults:
    """The faults that wait and those at work."""

    def __init__(self, started_ms: int) -> None:
        self._started_ms = started_ms
        self._waiting: list[Fault] = []
        self._active: list[_Active] = []

    def add(self, faults: list[Fault]) -> None:
        self._waiting += faults

    def clear(self) -> None:
        self._waiting, self._active = [], []

    @property
    def state(self) -> dict[str, list[Any]]:
        """What waits and what is at work, for people and tests."""
        active = [replace_count(entry.fault, entry.left) for entry in self._active]
        return {"waiting": list(self._waiting), "active": active}

    def begin(self, now_ms: int, wall_s: float) -> list[Fault]:
        """Start what is due; return the faults that are to be done to connections now."""
        self._active = [entry for entry in self._active if entry.left > 0 or entry.held]
        self._active = [entry for entry in self._active if entry.until_s > wall_s]
        due = [fault for fault in self._waiting if fault.due_ms(self._started_ms) <= now_ms]
        if not due:
            return []
        self._waiting = [fault for fault in self._waiting if fault not in due]
        for fault in due:
            if fault.kind not in ON_CONNECTIONS:
                ends = wall_s + fault.seconds if fault.kind is FaultKind.SILENCE else float("inf")
                self._active.append(_Active(fault, fault.count, ends))
        return [fault for fault in due if fault.kind in ON_CONNECTIONS]

    def take(self, kind: FaultKind, channel: str, symbol: str) -> Fault | None:
        """Use up one count of a fault on a subscription; None when there is none."""
        for entry in self._active:
            if entry.fault.kind is kind and entry.left > 0 and entry.hits(channel, symbol):
                entry.left -= 1
                return entry.fault
        return None

    def take_request(self, kind: FaultKind, path: str) -> Fault | None:
        """Use up one count of a fault on a REST request."""
        for entry in self._active:
            is_hit = entry.fault.path is None or path.endswith(entry.fault.path)
            if entry.fault.kind is kind and entry.left > 0 and is_hit:
                entry.left -= 1
                return entry.fault
        return None

    @property
    def touches_pushes(self) -> bool:
        """Whether pushes must go through `pushes` now."""
        return bool(self._active)

    def pushes(self, channel: str, symbol: str, sent: list[bytes], now_ms: int) -> list[bytes]:
        """Return what becomes of messages that are about to be pushed."""
        for entry in self._active:
            if entry.hits(channel, symbol) and entry.fault.kind in _ON_PUSHES:
                sent = _ON_PUSHES[entry.fault.kind](entry, sent, now_ms)
        return sent


def replace_count(fault: Fault, left: int) -> Fault:
    """Return the fault with the count that is left."""
    return msgspec.structs.replace(fault, count=left)


def _first(entry: _Active, sent: list[bytes]) -> int:
    """Use up counts for as many messages as there are; return how many."""
    hit = min(entry.left, len(sent))
    entry.left -= hit
    return hit


def _drop(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    return sent[_first(entry, sent) :]


def _duplicate(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    hit = _first(entry, sent)
    return [message for message in sent[:hit] for _ in range(2)] + sent[hit:]


def _reorder(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    """Hold messages until the count is reached, then let them go last first."""
    hit = _first(entry, sent)
    entry.held += [(now_ms, message) for message in sent[:hit]]
    if entry.left or not entry.held:
        return sent[hit:]
    turned = [message for _, message in reversed(entry.held)]
    entry.held = []
    return turned + sent[hit:]


def _unknown_keys(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    hit = _first(entry, sent)
    return [_with_unknown_keys(message) for message in sent[:hit]] + sent[hit:]


def _with_unknown_keys(message: bytes) -> bytes:
    try:
        decoded = msgspec.json.decode(message)
    except msgspec.DecodeError:
        # Another fault has cut it off.
        return message
    news = {"newKey": {"nested": [1, None, True]}}
    rows = [[*row, "new"] if isinstance(row, list) else {**row, **news} for row in decoded["data"]]
    return msgspec.json.encode({**decoded, "data": rows, **news})


def _malformed(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    hit = _first(entry, sent)
    return [message[: len(message) // 2] for message in sent[:hit]] + sent[hit:]


def _silence(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    return []


def _late_confirm(entry: _Active, sent: list[bytes], now_ms: int) -> list[bytes]:
    """Hold confirming rows back for the fault's seconds of exchange time."""
    through = []
    for message in sent:
        if entry.left > 0 and message.endswith(b'"1"]]}'):
            entry.left -= 1
            entry.held.append((now_ms + int(entry.fault.seconds * 1000), message))
        else:
            through.append(message)
    due = [message for time_ms, message in entry.held if time_ms <= now_ms]
    entry.held = [(time_ms, message) for time_ms, message in entry.held if time_ms > now_ms]
    return due + through


_ON_PUSHES: Final = {
    FaultKind.DROP: _drop,
    FaultKind.DUPLICATE: _duplicate,
    FaultKind.REORDER: _reorder,
    FaultKind.UNKNOWN_KEYS: _unknown_keys,
    FaultKind.MALFORMED: _malformed,
    FaultKind.SILENCE: _silence,
    FaultKind.LATE_CONFIRM: _late_confirm,
}
