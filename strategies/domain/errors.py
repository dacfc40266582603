"""What can be wrong with a strategy, named by who must do something about it."""

from __future__ import annotations

from collections.abc import Mapping


class StrategyError(Exception):
    """The base of every error this app raises on purpose."""


class UnknownStrategy(StrategyError, ValueError):
    """The caller named a strategy that does not exist: correct the name."""


class InvalidParameters(StrategyError, ValueError):
    """The caller's parameters cannot be; `errors` says why, by parameter: correct them."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))


class StrategyFailed(StrategyError):
    """A person's own strategy did not do what it should: its author corrects it.

    `line` is None where the strategy ended without saying where it was.
    """

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        self.file, self.line, self.reason = file, line, reason
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}: {reason}")
