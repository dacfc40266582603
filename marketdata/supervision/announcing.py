"""Tells the rest of the process which minutes closed, once they are stored."""

from __future__ import annotations

from marketdata.collector.ports import Batch, Sink
from marketdata.domain.events import Resume
from marketdata.domain.records import Candles
from marketdata.models import Instrument
from marketdata.signals import minute_closed


class AnnouncingSink:
    """A sink that sends `minute_closed` after the commit, in the writer's thread."""

    def __init__(self, sink: Sink, exchange: str) -> None:
        self._sink, self._exchange = sink, exchange
        self._instrument_ids: dict[str, int] = {}

    def resume(self, symbol: str) -> Resume:
        return self._sink.resume(symbol)

    def today(self, symbol: str, now_ms: int) -> Candles:
        return self._sink.today(symbol, now_ms)

    def commit(self, batch: Batch) -> None:
        self._sink.commit(batch)
        for part in batch.instruments:
            for open_time_ms in part.emission.minutes["open_time_ms"].tolist():
                # A receiver that fails is logged by Django and never stops collection.
                minute_closed.send_robust(
                    sender=AnnouncingSink,
                    instrument_id=self._instrument_id(part.symbol),
                    open_time_ms=open_time_ms,
                )

    def store_candles(self, symbol: str, candles: Candles, reason: str) -> None:
        self._sink.store_candles(symbol, candles, reason)

    def close(self) -> None:
        self._sink.close()

    def _instrument_id(self, symbol: str) -> int:
        if symbol not in self._instrument_ids:
            found = Instrument.objects.named(self._exchange, symbol)
            self._instrument_ids[symbol] = found.pk
        return self._instrument_ids[symbol]
