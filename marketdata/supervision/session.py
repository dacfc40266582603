"""A thread of its own for the blocking database work of one asyncio loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")


class Session:
    """Runs calls one after another in one thread, over one database connection.

    Renewing must not wait behind a long write, so supervision has its own beside the sink's.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result, waiting for it."""
        return self._thread.submit(_guarded, function, *args, **kwargs).result()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result without blocking the loop."""
        future = self._thread.submit(_guarded, function, *args, **kwargs)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Give the connection back and end the thread, without waiting for a stalled call."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)


def _guarded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    # A connection that the database dropped would otherwise fail for ever in this thread.
    close_old_connections()
    return function(*args, **kwargs)
