"""The life of a collector: connect, subscribe, read, parse, emit, and again."""

from __future__ import annotations

import asyncio
from abc import ABC
from collections.abc import Sequence
from typing import Any

from marketdata.collector.ports import History, Publisher, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.records import InstrumentSpec


class BaseCollector(ABC):
    """Collects some instruments of one exchange until told to stop.

    One object runs once, in the asyncio loop of whatever thread calls `run`.
    """

    def __init__(
        self,
        *,
        exchange: str,
        instruments: Sequence[InstrumentSpec],
        sink: Sink,
        publisher: Publisher,
        history: History,
        settings: CollectorSettings | None = None,
    ) -> None:
        self.exchange = exchange
        self.instruments = tuple(instruments)
        self.settings = settings or CollectorSettings()
        self._sink, self._publisher, self._history = sink, publisher, history

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set, then drain within `settings.drain_s` seconds.

        Raises LostLease when the sink reports another holder; everything else is retried.
        """
        await stop.wait()

    def health(self) -> dict[str, Any]:
        """Return counters and ages as plain JSON values; safe to call from another thread."""
        return {}
