"""Runs a replay from the store into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from marketdata.collector.replaying import Replay, Step
from marketdata.domain.errors import MarketDataError
from marketdata.domain.events import Resume
from marketdata.domain.raw import RawMessage
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.exchanges import EXCHANGES
from marketdata.models import Collector, DataGap, GapState, Instrument
from marketdata.replay.comparing import Comparison, compare
from marketdata.replay.reading import read_steps
from marketdata.storage import DatabaseSink
from marketdata.storage.raw import RawWriter, forget_messages
from marketdata.storage.stretches import open_place, stand_at
from marketdata.storage.trade_days import count_trades

LONGEST_NAME: Final = 32


class CannotReplay(MarketDataError):
    """There is nothing to replay, or no place for it: the message says what to change."""


def replay(
    exchange: str,
    symbols: Sequence[str] | None,
    start_ms: int,
    end_ms: int,
    *,
    name: str | None = None,
    speed: float | None = None,
) -> list[Comparison]:
    """Feed what is stored of [start_ms, end_ms) through the stack again, as exchange `name`.

    Whole minutes only. What an earlier replay left under that name of the same instruments goes
    first, so that two runs give the same rows. Raises CannotReplay.
    """
    start_ms, end_ms = start_ms - start_ms % MINUTE_MS, end_ms - end_ms % MINUTE_MS
    name = name or f"{exchange}-replay"
    _check_place(exchange, name)
    instruments = _with_trades(exchange, symbols, start_ms, end_ms)
    places = [open_place(instrument, name) for instrument in instruments]
    forget_messages(name, [place.pk for place in places])
    recorder = _ReplayRecorder(name)
    sink = _ReplaySink(name, {one.symbol: stand_at(one, start_ms, end_ms) for one in instruments})
    asyncio.run(
        Replay(sink, recorder, speed).run(
            [instrument.spec for instrument in instruments],
            recorder.storing(read_steps(instruments, start_ms, end_ms)),
            start_ms,
            end_ms,
        )
    )
    # No exchange has this name: nobody could ever fetch what is missing.
    gaps = DataGap.objects.filter(instrument__in=places)
    gaps.move(GapState.UNREPAIRABLE, reason="missing in the stretch that was replayed")
    return [
        comparison
        for instrument, place in zip(instruments, places, strict=True)
        for comparison in compare(instrument, place, start_ms, end_ms)
    ]


class _ReplaySink(DatabaseSink):
    """Begins where the stretch begins, not where the place of the replay stands."""

    def __init__(self, exchange: str, stands: dict[str, Resume]) -> None:
        super().__init__(None, exchange, None)
        self._stands = stands

    def resume(self, symbol: str) -> Resume:
        """Return where the original stood."""
        return self._stands[symbol]


class _ReplayRecorder:
    """Keeps messages until the chunk they came in was fed, then stores all; implements Recorder.

    Not like a collector's, which drops what the database is too slow for: always the same rows.
    """

    def __init__(self, exchange: str) -> None:
        self._writer = RawWriter(exchange)
        self._waiting: list[RawMessage] = []

    def record(self, message: RawMessage) -> None:
        """Keep one message."""
        self._waiting.append(message)

    def health(self) -> Mapping[str, int]:
        """Return how many wait."""
        return {"waiting": len(self._waiting)}

    def close(self) -> None:
        """Nothing is left to do: each chunk was stored when it ended."""

    def storing(self, chunks: Iterator[list[Step]]) -> Iterator[list[Step]]:
        """Yield the chunks; what was kept of one is stored when the next one is asked for."""
        for chunk in chunks:
            yield chunk
            if self._waiting:
                self._writer.write(self._waiting)
                self._waiting = []


def _check_place(exchange: str, name: str) -> None:
    is_live = (
        Collector.objects.filter(exchange=name).exists()
        or Instrument.objects.enabled().filter(exchange=name).exists()
    )
    if name in (exchange, *EXCHANGES) or is_live:
        raise CannotReplay(f"{name} is a live exchange: name another one with --as")
    if len(name) > LONGEST_NAME:
        raise CannotReplay(f"expected a name of at most {LONGEST_NAME} characters, was {name!r}")


def _with_trades(
    exchange: str, symbols: Sequence[str] | None, start_ms: int, end_ms: int
) -> list[Instrument]:
    rows = Instrument.objects.filter(exchange=exchange)
    if symbols is not None:
        rows = rows.filter(symbol__in=symbols)
    found = [row for row in rows.order_by("symbol") if count_trades(row, start_ms, end_ms)]
    if not found:
        raise CannotReplay(f"no trades of {exchange} are stored for that time and those symbols")
    return found
