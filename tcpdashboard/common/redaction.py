"""Keeps secrets out of log lines: by the name of a value, by its shape, and by what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"
_DEPTH = 6
_SHORTEST_SECRET = 8

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|authorization|cookie|api[-_]?key|access[-_](key|sign)"
    r"|signature|credential|private[-_]?key|session[-_]?(id|key)",
    re.IGNORECASE,
)
# Numbers that order writers or count work; nobody can log in with them.
_HARMLESS_NAMES = frozenset({"fencing_token", "token_count"})
_IN_TEXT = (
    (re.compile(r"(://[^\s:/@]*:)[^\s/@]+@"), rf"\1{MASK}@"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"\b((?:password|passphrase|passwd|secret|token|api[-_]?key|signature)"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
)


_remembered: set[str] = set()


def remember(secret: str) -> None:
    """Mask `secret` in every log line of this process from now on."""
    if len(secret) >= _SHORTEST_SECRET:
        _remembered.add(secret)


class Redactor:
    """A structlog processor that masks secrets anywhere in an event.

    `known` are secret values of this process (keys, passwords); they are masked wherever they
    occur, even inside the text of an exception.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        values = sorted({v for v in known if len(v) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None

    def __call__(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._named(name, value, _DEPTH) for name, value in event.items()}

    def text(self, text: str) -> str:
        """Return `text` with secrets masked."""
        if self._known:
            text = self._known.sub(MASK, text)
        for secret in tuple(_remembered):
            text = text.replace(secret, MASK)
        for pattern, replacement in _IN_TEXT:
            text = pattern.sub(replacement, text)
        return text

    def _named(self, name: object, value: Any, depth: int) -> Any:
        if isinstance(name, str) and name not in _HARMLESS_NAMES and _SECRET_NAME.search(name):
            return MASK if value not in (None, "") else value
        return self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (bool, int, float, type(None))):
            return value
        if depth == 0:
            return self.text(repr(value))
        if isinstance(value, Mapping):
            return {key: self._named(key, item, depth - 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(item, depth - 1) for item in value]
        return self.text(str(value))
