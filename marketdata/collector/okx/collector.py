"""Collects from OKX v5, or from anything that speaks it."""

from __future__ import annotations

from collections.abc import Sequence

from marketdata.collector.base import BaseCollector
from marketdata.collector.okx.constants import PRODUCTION, Endpoints
from marketdata.collector.ports import History, Publisher, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.records import InstrumentSpec


class OKXCollector(BaseCollector):
    """Tickers from the public socket; every trade and 1m candle pushes from the business socket.

    `history` defaults to REST at `endpoints` with limits of its own.
    """

    def __init__(
        self,
        *,
        instruments: Sequence[InstrumentSpec],
        sink: Sink,
        publisher: Publisher,
        endpoints: Endpoints = PRODUCTION,
        exchange: str = "okx",
        history: History | None = None,
        settings: CollectorSettings | None = None,
    ) -> None:
        assert history is not None
        super().__init__(
            exchange=exchange,
            instruments=instruments,
            sink=sink,
            publisher=publisher,
            history=history,
            settings=settings,
        )
        self._endpoints = endpoints
