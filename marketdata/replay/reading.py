"""A stored stretch as steps: second by second, every instrument in turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from marketdata.collector.okx.constants import BOOKS5, STATUS, TICKERS
from marketdata.collector.okx.frames import candle_frame, kept_frame, trades_frame
from marketdata.collector.replaying import Step
from marketdata.domain.raw import RawChannel
from marketdata.domain.records import Trades, empty_trades
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Instrument
from marketdata.storage import read_trades
from marketdata.storage.raw import StoredMessage, read_announced, read_messages
from marketdata.storage.trade_days import count_trades

CHUNK_MS: Final = 3_600_000
MOST_ROWS: Final = 100_000
"""Trades of all instruments that are held as frames at once; a minute may have more."""

STEP_MS: Final = 1_000
# Ids and times may disagree by some milliseconds: the end of a chunk waits for the next one.
_MARGIN_MS: Final = 1_000
_CLOSED: Final = "1"
_KEPT: Final = {RawChannel.TICKERS: TICKERS, RawChannel.BOOKS: BOOKS5}
"""OKX's name of a channel, by ours."""


def read_steps(
    instruments: Sequence[Instrument], start_ms: int, end_ms: int
) -> Iterator[list[Step]]:
    """Yield trades, closed candles and what else was kept of [start_ms, end_ms) in chunks.

    Trades come in order of id, before the rest of their second.
    A chunk is an hour, or less where more than `MOST_ROWS` were traded in it.
    """
    held: dict[int, Trades] = {}
    for chunk_ms, until_ms in _chunks(instruments, start_ms, end_ms):
        frames: dict[int, list[bytes]] = defaultdict(list)
        rows: dict[int, int] = defaultdict(int)
        for instrument in instruments:
            trades = np.concatenate(
                [
                    held.get(instrument.pk, empty_trades()),
                    read_trades(instrument, chunk_ms, until_ms),
                ]
            )
            trades = trades[np.argsort(trades["trade_id"], kind="stable")]
            if until_ms < end_ms:
                trades, held[instrument.pk] = _split(trades, until_ms - _MARGIN_MS)
            for step_ms, part in _by_step(trades):
                frames[step_ms].append(trades_frame(instrument.symbol, part))
                rows[step_ms] += len(part)
        for instrument in instruments:
            for message in read_messages(instrument, RawChannel.CANDLES, chunk_ms, until_ms):
                if msgspec.json.decode(message.payload)[-1] == _CLOSED:
                    frame = candle_frame(instrument.symbol, message.payload)
                    frames[_second(message)].append(frame)
        for step_ms, frame in _kept(instruments, chunk_ms, until_ms):
            frames[step_ms].append(frame)
        yield [
            Step(step_ms + STEP_MS - 1, tuple(frames[step_ms]), rows[step_ms])
            for step_ms in sorted(frames)
        ]


def _kept(
    instruments: Sequence[Instrument], start_ms: int, end_ms: int
) -> Iterator[tuple[int, bytes]]:
    """Yield what else was kept as it came, each with its second."""
    for channel, name in _KEPT.items():
        for instrument in instruments:
            for message in read_messages(instrument, channel, start_ms, end_ms):
                yield _second(message), kept_frame(name, instrument.symbol, message.payload)
    for message in read_announced(instruments[0].exchange, RawChannel.STATUS, start_ms, end_ms):
        yield _second(message), kept_frame(STATUS, "", message.payload)


def _second(message: StoredMessage) -> int:
    return message.exchange_ms - message.exchange_ms % STEP_MS


def _chunks(
    instruments: Sequence[Instrument], start_ms: int, end_ms: int
) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the chunks, in whole minutes."""
    while start_ms < end_ms:
        until_ms = min(start_ms + CHUNK_MS, end_ms)
        while (minutes := (until_ms - start_ms) // MINUTE_MS) > 1 and sum(
            count_trades(instrument, start_ms, until_ms) for instrument in instruments
        ) > MOST_ROWS:
            until_ms = start_ms + minutes // 2 * MINUTE_MS
        yield start_ms, until_ms
        start_ms = until_ms


def _split(trades: Trades, time_ms: int) -> tuple[Trades, Trades]:
    """Return the trades before the first, by id, that is not before `time_ms`, and the rest."""
    late = np.flatnonzero(trades["time_ms"] >= time_ms)
    cut = int(late[0]) if len(late) else len(trades)
    return trades[:cut], trades[cut:]


def _by_step(trades: Trades) -> Iterator[tuple[int, Trades]]:
    """Yield seconds with their trades; one behind a later trade comes with that."""
    reached = np.maximum.accumulate(trades["time_ms"]) // STEP_MS * STEP_MS
    for part in np.split(trades, np.flatnonzero(np.diff(reached)) + 1):
        if len(part):
            newest = int(part["time_ms"].max())
            yield newest - newest % STEP_MS, part
