"""A thread of its own for the blocking database work of one asyncio loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """Runs calls one after another in one thread, over one database connection.

    With `is_mended` a connection the database dropped is replaced before the next call; without,
    the connection lives as long as the thread, which is what session locks need.
    """

    def __init__(self, name: str, *, is_mended: bool = True) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._is_mended = is_mended

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result, waiting for it."""
        return self._submit(partial(function, *args, **kwargs)).result()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result without blocking the loop."""
        future = self._submit(partial(function, *args, **kwargs))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Give the connection back and end the thread; a stalled call is waited for 1 s."""
        closed = self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)
        wait({closed}, timeout=1)

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        def run() -> T:
            if self._is_mended:
                close_old_connections()
            return call()

        return self._thread.submit(run)
