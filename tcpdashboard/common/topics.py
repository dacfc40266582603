"""Which topics exist and who may read them: a closed list, put together in `routing`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

MAX_NAME = 200


class UnknownTopic(Exception):
    """No rule describes a topic of this name."""


class ForbiddenTopic(Exception):
    """The user may not read the topic."""


def anybody_logged_in(user: Any, match: re.Match[str]) -> bool:
    """Allow every user who is logged in."""
    return bool(user.is_authenticated)


def staff(user: Any, match: re.Match[str]) -> bool:
    """Allow who administers the installation."""
    return bool(user.is_authenticated and user.is_staff)


@dataclass(frozen=True, slots=True)
class TopicRule:
    """A family of topics: names that match `pattern` as a whole, readable where `allows` says so.

    `allows(user, match)` is called on the event loop and must not use the database.
    """

    pattern: re.Pattern[str]
    allows: Callable[[Any, re.Match[str]], bool] = anybody_logged_in


class TopicRegistry:
    """All topics of the project."""

    def __init__(self, rules: Iterable[TopicRule]) -> None:
        self._rules = tuple(rules)

    def authorise(self, user: Any, name: str) -> None:
        """Return when `user` may read topic `name`.

        Raises UnknownTopic when there is no such topic and ForbiddenTopic when it is not for them.
        """
        if len(name) <= MAX_NAME:
            for rule in self._rules:
                match = rule.pattern.fullmatch(name)
                if match is not None:
                    if not rule.allows(user, match):
                        raise ForbiddenTopic(f"you may not read the topic {name!r}")
                    return
        raise UnknownTopic(f"there is no topic {name[:MAX_NAME]!r}")
