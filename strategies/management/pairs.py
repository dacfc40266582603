"""NAME=VALUE as it is given on a command line, any number of times."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError


def named_values(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return values by name; the last of a name counts. Raises CommandError where = is missing."""
    pairs = [text.partition("=") for text in texts]
    for name, sign, _ in pairs:
        if not sign:
            raise CommandError(f"expected {option} NAME=VALUE; was {name!r}")
    return {name: value for name, _, value in pairs}
