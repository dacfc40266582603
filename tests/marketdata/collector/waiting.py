"""Waiting in tests: for a condition, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def becomes(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return as soon as `condition` holds; raise TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)
