"""What a backfill has done so far: its checkpoint, and in the end its result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

from marketdata.domain.gaps import Stretch
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.storage import WriteResult

SHOWN_RANGES: Final = 100
"""Missing stretches that are named in the result; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a backfill is and what came of it.

    `candle_chunks` and `trade_chunks` are done as a whole. Of the next chunk of trades, ids from
    `before_id` on are stored, and minutes from `settled_ms` on are built. `missing` counts the
    minutes of which the exchange has no candle. Before `no_trades_before_ms` it has no trades.
    """

    candle_chunks: int = 0
    trade_chunks: int = 0
    before_id: int | None = None
    settled_ms: int | None = None
    inserted: int = 0
    changed: int = 0
    locked: int = 0
    missing: int = 0
    missing_ranges: tuple[Stretch, ...] = ()
    trades: int = 0
    from_trades: int = 0
    no_trades_before_ms: int | None = None

    @classmethod
    def of(cls, checkpoint: dict[str, Any]) -> Self:
        """Return the tally of a job's checkpoint; an empty one begins anew."""
        ranges = tuple((start, end) for start, end in checkpoint.get("missing_ranges", ()))
        return cls(**{**checkpoint, "missing_ranges": ranges})

    def checkpoint(self) -> dict[str, Any]:
        """Return the tally as a job keeps it."""
        return asdict(self)

    def with_candles(self, written: WriteResult, missing: list[Stretch]) -> Tally:
        """Return the tally after one more chunk of candles."""
        return replace(
            self,
            candle_chunks=self.candle_chunks + 1,
            inserted=self.inserted + written.inserted,
            changed=self.changed + written.changed,
            locked=self.locked + written.locked,
            missing=self.missing + sum(end - start for start, end in missing) // MINUTE_MS,
            missing_ranges=(*self.missing_ranges, *missing)[:SHOWN_RANGES],
        )

    def with_trades(
        self, count: int, written: WriteResult, before_id: int, settled_ms: int
    ) -> Tally:
        """Return the tally after `count` more trades, the oldest of them with id `before_id`."""
        return replace(
            self,
            trades=self.trades + count,
            from_trades=self.from_trades + written.inserted + written.changed,
            locked=self.locked + written.locked,
            before_id=before_id,
            settled_ms=settled_ms,
        )

    def result(self) -> dict[str, Any]:
        """Return what the job's result says: minutes by what became of them, ranges in ms."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("candle_chunks", "trade_chunks", "before_id", "settled_ms")
        }
