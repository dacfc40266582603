"""The kinds of jobs there are: each app registers its own when it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from tcpdashboard.common.jobs.run import JobRun

    Handler = Callable[[JobRun], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of one kind are done.

    `handler` is the dotted path of a function that takes a JobRun and returns the result; it is
    imported by the worker only. `at_once` bounds how many run at a time, over all workers. Errors
    of `retry_on` put the job back into its queue, until it was taken `attempts` times without
    getting further; any other error fails it at once.
    """

    name: str
    handler: str
    queue: str = "default"
    unit: str = ""
    at_once: int | None = None
    retry_on: tuple[type[Exception], ...] = ()
    attempts: int = 8

    def load(self) -> Handler:
        """Return the handler."""
        handler: Handler = import_string(self.handler)
        return handler


@dataclass(slots=True)
class JobKinds:
    """A closed list of kinds; one name twice, or an unknown one, is an error."""

    _kinds: dict[str, JobKind] = field(default_factory=dict)

    def register(self, kind: JobKind) -> None:
        """Add a kind. Raises ValueError when its name is taken."""
        if kind.name in self._kinds:
            raise ValueError(f"a kind of jobs called {kind.name!r} is registered already")
        self._kinds[kind.name] = kind

    def get(self, name: str) -> JobKind:
        """Return the kind. Raises LookupError, listing the kinds, when there is none."""
        try:
            return self._kinds[name]
        except KeyError:
            known = ", ".join(sorted(self._kinds)) or "none"
            raise LookupError(f"no kind of jobs is called {name!r}; known: {known}") from None

    def __iter__(self) -> Iterator[JobKind]:
        return iter(self._kinds.values())


KINDS: Final = JobKinds()
