"""Words that nobody knows, answered with those that were probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: the closest of `known`, or all when none is close."""
    choices = list(known)
    close = get_close_matches(word, choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"expected one of {', '.join(choices)}" if choices else "there is none"
