"""The simulated exchange as a server on a plain and a TLS port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from marketdata.simulator.config import Config
from marketdata.simulator.exchange import SimulatedExchange
from marketdata.simulator.tls import certificates, server_context

logger = logging.getLogger(__name__)

_HEAD_BYTES: Final = 65_536


@contextlib.asynccontextmanager
async def create_server(config: Config) -> AsyncIterator[SimulatedExchange]:
    """Run a simulated exchange in this loop for as long as the context is open.

    Raises WrongState when the state folder belongs to another market, ValueError for a tape,
    symbol or fault script that is wrong, OSError when a port is taken.
    """
    exchange = SimulatedExchange(config)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(exchange.clock.close)
        await _listen(exchange, stack)
        stack.push_async_callback(exchange.connections.end)
        for work in (exchange.engine.run(), exchange.watch()):
            task = asyncio.create_task(work)
            task.add_done_callback(_reported)
            exchange.work.append(task)
            stack.push_async_callback(_ended, task)
        yield exchange


async def _listen(exchange: SimulatedExchange, stack: contextlib.AsyncExitStack) -> None:
    config, serve = exchange.config, exchange.connections.serve
    plain = await asyncio.start_server(serve, config.host, config.port, limit=_HEAD_BYTES)
    stack.callback(plain.close)
    exchange.port = plain.sockets[0].getsockname()[1]
    if config.tls_port is None:
        return
    files = certificates(config.state, datetime.now(UTC))
    secure = await asyncio.start_server(
        serve, config.host, config.tls_port, ssl=server_context(files), limit=_HEAD_BYTES
    )
    stack.callback(secure.close)
    exchange.tls_port = secure.sockets[0].getsockname()[1]
    exchange.ca_file = files.ca


def _reported(task: asyncio.Task[None]) -> None:
    """Say why the clock stands still, should it ever fail."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the simulated exchange has stopped", exc_info=error)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
