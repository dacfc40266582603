"""The seeded market: any minute of any instrument, at once, from any point of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from marketdata.simulator.bars import Bars, bars_of
from marketdata.simulator.generation import Minutes, make_matches
from marketdata.simulator.hashing import Integers, bits, key_of, part
from marketdata.simulator.instruments import INSTRUMENTS, LISTED_MINUTE, Instrument
from marketdata.simulator.matches import NO_MATCHES, Matches, joined
from marketdata.simulator.paths import BLOCK, LEVELS, asset_block, price_of

MINUTE_MS: Final = 60_000
_CHUNK_MATCHES: Final = 65_536
_KEPT_MATCHES: Final = 1_500_000
_KEPT_MINUTES: Final = 2_000_000


class Market(Protocol):
    """What the server shows, hidden behind the exchange's clock by `view.View`."""

    @property
    def instruments(self) -> Mapping[str, Instrument]: ...

    @property
    def identity(self) -> str:
        """What a state folder belongs to: two markets never share one."""
        ...

    @property
    def end_ms(self) -> int | None:
        """The time of the last trade; None for a market without end."""
        ...

    def first_minute(self, symbol: str) -> int:
        """Return the first minute (of the epoch) that has a candle."""
        ...

    def matches(self, symbol: str, after_ms: int, until_ms: int) -> Matches:
        """Return the matches with after_ms < time <= until_ms."""
        ...

    def matches_before(self, symbol: str, before_id: int, limit: int) -> Matches:
        """Return up to `limit` matches with the highest ids below `before_id`, ascending."""
        ...

    def last_id(self, symbol: str, now_ms: int) -> int:
        """Return the id of the last match up to `now_ms`, or the id before the first."""
        ...

    def bars(self, symbol: str, first_minute: int, end_minute: int) -> Bars:
        """Return the whole minutes first_minute <= minute < end_minute, flat ones included."""
        ...


@dataclass(frozen=True, slots=True)
class _Block:
    """Ids before each minute of a block: 1025 of them, the last belongs to the next block."""

    ids: Integers


class SeededMarket:
    """A market without end, the same for the same seed and activity.

    What one instrument does depends on no other, nor on how many there are.
    """

    def __init__(
        self, seed: int, activity: float = 1.0, instruments: Sequence[Instrument] = INSTRUMENTS
    ) -> None:
        self.seed = seed
        self.activity = activity
        self.instruments: Mapping[str, Instrument] = {row.symbol: row for row in instruments}
        # Chunks of all instruments are kept at once: one that is made anew each time is no chunk.
        self._chunk_matches = min(_CHUNK_MATCHES, _KEPT_MATCHES // (2 * len(self.instruments)))
        self._chunks: OrderedDict[tuple[str, int], Matches] = OrderedDict()
        self._bars: OrderedDict[tuple[str, int], Bars] = OrderedDict()
        self._blocks: OrderedDict[tuple[str, int], Integers] = OrderedDict()
        self._kept_matches = 0

    @property
    def identity(self) -> str:
        usual = len(INSTRUMENTS)
        many = "" if len(self.instruments) == usual else f", {len(self.instruments)} instruments"
        return f"seed {self.seed}, activity {self.activity:g}{many}"

    @property
    def end_ms(self) -> int | None:
        return None

    def first_minute(self, symbol: str) -> int:
        return LISTED_MINUTE

    def matches(self, symbol: str, after_ms: int, until_ms: int) -> Matches:
        size = self._chunk_minutes(symbol)
        first = max(after_ms // MINUTE_MS, LISTED_MINUTE) // size
        last = until_ms // MINUTE_MS // size
        runs = [
            run
            for number in range(first, last + 1)
            if len(run := self._chunk(symbol, number).between(after_ms, until_ms))
        ]
        return joined(runs)

    def matches_before(self, symbol: str, before_id: int, limit: int) -> Matches:
        first_id = max(before_id - limit, self._first_id(symbol, LISTED_MINUTE))
        if first_id >= before_id:
            return NO_MATCHES
        size = self._chunk_minutes(symbol)
        first = self._minute_of(symbol, first_id) // size
        last = self._minute_of(symbol, before_id - 1) // size
        run = joined([self._chunk(symbol, number) for number in range(first, last + 1)])
        start = first_id - int(run.ids[0])
        return run[start : start + before_id - first_id]

    def last_id(self, symbol: str, now_ms: int) -> int:
        minute = now_ms // MINUTE_MS
        if minute < LISTED_MINUTE:
            return self._first_id(symbol, LISTED_MINUTE) - 1
        seen = len(self.matches(symbol, minute * MINUTE_MS - 1, now_ms))
        return self._first_id(symbol, minute) - 1 + seen

    def bars(self, symbol: str, first_minute: int, end_minute: int) -> Bars:
        size = self._chunk_minutes(symbol)
        first = max(first_minute, LISTED_MINUTE)
        numbers = range(first // size, (end_minute - 1) // size + 1)
        runs = [self._bar_chunk(symbol, number) for number in numbers]
        return Bars.joined(runs).between(first, end_minute)

    # ------------------------------------------------------------------ numbering
    def _block_matches(self, symbol: str) -> int:
        return max(1, round(self.instruments[symbol].matches_a_minute * self.activity * BLOCK))

    def _edge(self, symbol: str, block: int) -> int:
        """Return the number of matches before a block since the epoch: R x block + h(block)."""
        per_block = self._block_matches(symbol)
        key = key_of(self.seed, self.instruments[symbol].base, "edges")
        swing = int(part(bits(key, np.array([block], np.int64)), 0, 16)[0])
        return per_block * block + per_block * swing // 131_072

    def _block(self, symbol: str, block: int) -> Integers:
        """Return the ids before each minute edge of a block (1025, ascending)."""
        found = self._blocks.get((symbol, block))
        if found is None:
            found = self._blocks[symbol, block] = self._split_block(symbol, block)
            if len(self._blocks) > 2048:
                self._blocks.popitem(last=False)
        return found

    def _split_block(self, symbol: str, block: int) -> Integers:
        start, end = self._edge(symbol, block), self._edge(symbol, block + 1)
        instrument = self.instruments[symbol]
        asset = asset_block(self.seed, instrument.base, instrument.daily_volatility, block)
        key = key_of(self.seed, symbol, "counts")
        # Half of an average block is the least it can hold: see `_edge`.
        steady = int(
            min(instrument.steady_matches, instrument.matches_a_minute / 2) * self.activity
        )
        counts = np.array([end - start - steady * BLOCK], np.int64)
        for level in range(LEVELS):
            nodes = np.arange(block << level, (block + 1) << level, dtype=np.int64)
            rounding = part(bits(key + level, nodes), 0, 16)
            left = (counts * asset.splits[level] + rounding) >> 16
            counts = np.column_stack((left, counts - left)).ravel()
        listed = self._edge(symbol, LISTED_MINUTE // BLOCK)
        return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts + steady))) + (
            start - listed
        )

    def _first_id(self, symbol: str, minute: int) -> int:
        return int(self._block(symbol, minute // BLOCK)[minute % BLOCK]) + 1

    def _minute_of(self, symbol: str, trade_id: int) -> int:
        per_block = self._block_matches(symbol)
        block = LISTED_MINUTE // BLOCK + trade_id // per_block
        while self._first_id(symbol, block * BLOCK) > trade_id:
            block -= 1
        while self._first_id(symbol, (block + 1) * BLOCK) <= trade_id:
            block += 1
        edges = self._block(symbol, block)
        return block * BLOCK + int(np.searchsorted(edges, trade_id, side="left")) - 1

    # ------------------------------------------------------------------ chunks
    def _chunk_minutes(self, symbol: str) -> int:
        """Return how many minutes are made at once: a power of two that divides a block."""
        size = BLOCK
        while size > 16 and self._block_matches(symbol) * size // BLOCK > self._chunk_matches:
            size //= 2
        return size

    def _chunk(self, symbol: str, number: int) -> Matches:
        found = self._chunks.get((symbol, number))
        if found is not None:
            self._chunks.move_to_end((symbol, number))
            return found
        made = make_matches(self.seed, self.instruments[symbol], self._minutes(symbol, number))
        self._chunks[symbol, number] = made
        self._kept_matches += len(made)
        while self._kept_matches > _KEPT_MATCHES and len(self._chunks) > 1:
            self._kept_matches -= len(self._chunks.popitem(last=False)[1])
        return made

    def _minutes(self, symbol: str, number: int) -> Minutes:
        size = self._chunk_minutes(symbol)
        minute = number * size
        block, offset = divmod(minute, BLOCK)
        instrument = self.instruments[symbol]
        asset = asset_block(self.seed, instrument.base, instrument.daily_volatility, block)
        ids = self._block(symbol, block)[offset : offset + size + 1]
        return Minutes(
            first_minute=minute,
            first_id=int(ids[0]) + 1,
            counts=np.diff(ids),
            levels=asset.levels[offset : offset + size + 1],
            variances=asset.variances[offset : offset + size],
        )

    def _bar_chunk(self, symbol: str, number: int) -> Bars:
        found = self._bars.get((symbol, number))
        if found is not None:
            self._bars.move_to_end((symbol, number))
            return found
        size = self._chunk_minutes(symbol)
        matches = self._chunk(symbol, number)
        instrument = self.instruments[symbol]
        before = self._close_before(symbol, number)
        made = bars_of(instrument, matches, number * size, (number + 1) * size, before)
        self._bars[symbol, number] = made
        while len(self._bars) * size > _KEPT_MINUTES:
            self._bars.popitem(last=False)
        return made

    def _close_before(self, symbol: str, number: int) -> int:
        """Return the last price before a chunk; at the listing, the price it starts from."""
        size = self._chunk_minutes(symbol)
        while number * size > LISTED_MINUTE:
            number -= 1
            if len(matches := self._chunk(symbol, number)):
                return int(matches.ticks[-1])
        instrument = self.instruments[symbol]
        level = self._minutes(symbol, number).levels[:1]
        price = price_of(level, instrument.start_price * float(10**instrument.price_digits))
        return int(price[0])
