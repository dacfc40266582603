"""The simulated exchange as a server on a plain and a TLS port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from marketdata.simulator.config import Config
from marketdata.simulator.exchange import SimulatedExchange
from marketdata.simulator.tls import certificates, server_context

logger = logging.getLogger(__name__)


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
    config, network = exchange.config, exchange.network
    stack.callback(network.close)
    exchange.port = await network.open(config.port)
    if config.tls_port is None:
        return
    files = certificates(config.state, datetime.now(UTC))
    exchange.tls_port = await network.open(config.tls_port, server_context(files))
    exchange.ca_file = files.ca


def _reported(task: asyncio.Task[None]) -> None:
    """Say why the clock stands still, should it ever fail."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the simulated exchange has stopped", exc_info=error)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
