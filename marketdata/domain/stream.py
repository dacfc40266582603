"""One instrument's trades as they come, made into minutes by section 1 of the trading rules.

A pure state machine: no clock, no I/O. Trades go in as they are received, and out come trades
without missing ids, openings and closed minutes; what is missing is named as holes, for whoever
can fetch it. While a hole is open nothing behind it is handed out.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from marketdata.domain.building import MinuteBuilder
from marketdata.domain.events import Emission, Hole, HoleCause, Resume
from marketdata.domain.holes import OpenHoles, hole_of, overlap
from marketdata.domain.outbox import NOTHING, Outbox
from marketdata.domain.proof import Proof
from marketdata.domain.records import InstrumentSpec, Trades
from marketdata.domain.sequence import Missing, Sequence
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.domain.voids import Void, Voids, harmless
from marketdata.domain.waiting import newest_minute

CLOSE_AFTER_MS: Final = 5_000
"""A minute without a later trade closes this long after its end, in exchange time."""

BUFFER_LIMIT: Final = 500_000
"""Trades that may wait behind holes: about 20 MB."""


class InstrumentStream:
    """The stream of one instrument from `resume` on, connected at `connected_at_ms`.

    Trades have to follow each other by id; the ones missing between the store and the first live
    trade are a hole like any other. Times are exchange time in UTC milliseconds.
    """

    def __init__(
        self,
        spec: InstrumentSpec,
        resume: Resume,
        connected_at_ms: int,
        *,
        buffer_limit: int = BUFFER_LIMIT,
        close_after_ms: int = CLOSE_AFTER_MS,
    ) -> None:
        self._spec = spec
        self._close_after_ms = close_after_ms
        next_id = None if resume.last_trade_id is None else resume.last_trade_id + 1
        self._sequence = Sequence(next_id, resume.last_trade_ms, buffer_limit)
        self._voids = Voids()
        self._builder = MinuteBuilder(spec, self._voids)
        self._start_ms = resume.first_wanted_ms(connected_at_ms)
        if next_id is not None:
            self._take_up(resume)
        self._open = OpenHoles()
        self._proof = Proof()
        self._advance(connected_at_ms)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The open holes, the oldest first, each with the bounds it was opened with."""
        return tuple(self._open.holes)

    @property
    def last_trade_id(self) -> int | None:
        """The last id up to which nothing is missing or waited for; None before the first."""
        return None if self._sequence.next_id is None else self._sequence.next_id - 1

    @property
    def is_proven(self) -> bool:
        """Whether it is known since the last connecting that no trade was missed before it.

        Until then no minute closes by time: fetch the newest page and hand it to `page`.
        """
        return self._proof.is_proven

    @property
    def forgotten(self) -> int:
        """How many stretches of ids were given up that their trades cannot fill any more."""
        return self._voids.forgotten

    @property
    def forming(self) -> np.void | None:
        """The newest minute that has trades and is not closed, as one CANDLE_DTYPE record.

        Trades that wait behind a hole are included; `minutes` is 0 while any may be missing.
        """
        part = self._builder.forming
        if self._sequence.waiting:
            part = newest_minute(part, self._sequence.waiting, self._spec)
            return None if part is None else part.record(minutes=0)
        return None if part is None else part.record(minutes=self._builder.whole(part.open_time_ms))

    def live(self, trades: Trades) -> Emission:
        """Take trades as the socket delivered them: repeated, old, out of order, aggregated.

        Raises BufferFull, with nothing changed, when too many would wait behind holes: give up the
        oldest hole, then hand in the same trades again.
        """
        if not len(trades):
            return NOTHING
        emission = self._take(trades)
        self._proof.pushed(int(trades["trade_id"].max()), self._sequence.last_id)
        return emission

    def page(self, trades: Trades) -> Emission:
        """Take the newest page of REST, which several caches serve: it may be an old one.

        One page proves nothing, though it ends with the last trade that is known: a second one
        does, asked for some time later, that ends with the same trade. Raises like `live`.
        """
        if not len(trades):
            return NOTHING
        emission = self._take(trades)
        self._proof.paged(int(trades["trade_id"].max()), self._sequence.last_id)
        return emission

    def repaired(self, trades: Trades, hole: Hole, *, reached_start: bool = False) -> Emission:
        """Take trades that were fetched for `hole`: all of it, a part, or more than that.

        `reached_start` says that the exchange has no trade before these: the hole of a first
        start is whole then even though no trade is older than its start.
        """
        out = Outbox()
        self._sequence.add(trades, is_bounded=False)
        self._patch(trades, out)
        self._settle(out, reached_start=reached_start and hole.first_id is None)
        return out.emission()

    def give_up(self, hole: Hole, now_ms: int) -> Emission:
        """Go on without what is still missing of `hole`; nothing if it is not open any more.

        Minutes that lack trades have `minutes` 0; those in which nothing is known are left out.
        """
        if hole not in self._open.holes:
            return NOTHING
        out = Outbox()
        self._advance(now_ms)
        for missing in self._sequence.missing():
            if overlap(hole, missing):
                self._give_up(hole, missing)
        self._open.holes.remove(hole)
        out.given_up.append(hole)
        self._settle(out)
        return out.emission()

    def pass_over(self, hole: Hole) -> Emission:
        """Go on as if `hole` were whole: the exchange, asked for all of it, has no other trades."""
        out = Outbox()
        self._pass_over(hole)
        self._settle(out)
        return out.emission()

    def tick(self, exchange_ms: int) -> Emission:
        """Close what ended 5 s before `exchange_ms`, if no trade of it can have been missed."""
        self._advance(exchange_ms)
        builder = self._builder
        is_sure = self._proof.is_proven and not self._sequence.waiting
        if not is_sure or builder.closed_through_ms is None:
            return NOTHING
        end_ms = Timeframe.M1.open_time(exchange_ms - self._close_after_ms)
        if end_ms <= builder.closed_through_ms + MINUTE_MS:
            return NOTHING
        return self._closed_through(end_ms - MINUTE_MS)

    def confirm(self, open_time_ms: int, base_volume: float, now_ms: int) -> Emission:
        """Close a minute that the exchange calls closed, if its volume equals ours.

        Otherwise trades are still on their way, and the minute waits for them or for the 5 s.
        `base_volume` is in base currency, for swaps too.
        """
        is_equal = self._builder.base_volume(open_time_ms) == base_volume
        if not self._is_next(open_time_ms, now_ms) or not is_equal:
            return NOTHING
        return self._closed_through(open_time_ms)

    def close_doubted(self, open_time_ms: int, now_ms: int) -> Emission:
        """Close the minute that is next as one with trades missing, and leave out an empty one.

        The exchange counts other trades in it, and nobody can be asked for them.
        """
        if not self._is_next(open_time_ms, now_ms):
            return NOTHING
        self._builder.doubt(open_time_ms)
        return self._closed_through(open_time_ms)

    def disconnected(self) -> None:
        """Note that trades may be missed from now on."""
        self._proof.disconnected()

    def connected(self, exchange_ms: int) -> None:
        """Note that trades come in again.

        The first of them shows whether any was missed. Where the exchange does not push its last
        trade at once, fetch it and hand it to `page`, or a quiet minute cannot close.
        """
        self._proof.connected()
        self._advance(exchange_ms)

    def _take_up(self, resume: Resume) -> None:
        builder = self._builder
        builder.closed_through_ms = resume.last_closed_open_ms
        builder.last_close = resume.last_close
        builder.reopen(resume.open_trades)
        for hole in resume.given_up:
            first_id = hole.first_id or 0
            self._voids.add(Void(hole, first_id, hole.last_id, hole.after_ms, hole.before_ms))
        self._voids.fill(resume.open_trades)
        if builder.closed_through_ms is None and resume.last_trade_ms is not None:
            builder.closed_through_ms = Timeframe.M1.open_time(resume.last_trade_ms)

    def _is_next(self, open_time_ms: int, now_ms: int) -> bool:
        """Return whether a minute is the next to close and nothing waits before it."""
        self._advance(now_ms)
        is_next = self._builder.closed_through_ms == open_time_ms - MINUTE_MS
        return is_next and not self._sequence.waiting

    def _closed_through(self, open_time_ms: int) -> Emission:
        out = Outbox()
        self._builder.close_before(open_time_ms + MINUTE_MS, out)
        return out.emission()

    def _advance(self, exchange_ms: int) -> None:
        self._builder.now_ms = max(self._builder.now_ms, exchange_ms)

    def _take(self, trades: Trades) -> Emission:
        out = Outbox()
        if self._sequence.continues(trades):
            self._advance(int(trades["time_ms"].max()))
            self._sequence.passed(trades)
            self._builder.consume(trades, out)
        else:
            self._sequence.add(trades, is_bounded=True)
            self._advance(int(trades["time_ms"].max()))
            self._patch(trades, out)
            self._settle(out)
        return out.emission()

    def _patch(self, trades: Trades, out: Outbox) -> None:
        """Take those of `trades` that had been given up, unless they wait behind a hole."""
        next_id = self._sequence.next_id
        if next_id is None:
            return
        rows, whole = self._voids.fill(trades[trades["trade_id"] < next_id])
        if len(rows):
            self._builder.patch(rows, out)
            out.repaired.extend(whole)

    def _settle(self, out: Outbox, *, reached_start: bool = False) -> None:
        """Take what is next and name what is missing now."""
        if self._sequence.next_id is None and self._sequence.waiting:
            self._find_start(reached_start=reached_start)
        if not self._spec.has_id_rule and self._proof.cause is HoleCause.LOSS:
            self._pass_over(None)
        for run in self._sequence.take():
            if run.parts:
                self._builder.consume(run.rows, out)
        missing = self._sequence.missing()
        self._open.follow(missing, self._start_ms, self._proof.cause, out)

    def _find_start(self, *, reached_start: bool) -> None:
        """Begin at the first wanted trade, once a trade before it is known, or that none is."""
        run = self._sequence.waiting[0]
        rows = run.rows
        unwanted = int(np.argmax(rows["time_ms"] >= self._start_ms))
        if rows["time_ms"][-1] < self._start_ms:
            unwanted = len(rows)
        if unwanted:
            last = rows[unwanted - 1]
            self._sequence.begin(int(last["trade_id"]) + 1, int(last["time_ms"]))
            self._builder.begin(self._start_ms - MINUTE_MS, float(last["price"]))
        elif reached_start or run.first_id <= 1:
            self._sequence.begin(run.first_id, None)
            self._builder.begin(Timeframe.M1.open_time(run.first_ms) - MINUTE_MS, None)

    def _give_up(self, hole: Hole, missing: Missing) -> None:
        after_ms = hole.after_ms if missing.after_ms is None else missing.after_ms
        void = Void(hole, missing.first_id or 0, missing.last_id, after_ms, missing.before_ms)
        self._voids.add(void)
        if missing.first_id is None:
            self._sequence.begin(missing.last_id + 1, None)
            self._builder.begin(Timeframe.M1.open_time(missing.before_ms) - MINUTE_MS, None)
        else:
            self._sequence.give_up(missing)

    def _pass_over(self, hole: Hole | None) -> None:
        """Go on without what is missing of `hole`, or of no hole that is open."""
        for missing in self._sequence.missing():
            is_wanted = not self._open.covers(missing) if hole is None else overlap(hole, missing)
            if is_wanted and missing.first_id is not None:
                self._voids.add(harmless(hole_of(missing, self._start_ms, self._proof.cause)))
                self._sequence.give_up(missing)
