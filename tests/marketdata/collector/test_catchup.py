"""Holes: found, filled, given up, and filled after all. No network; time is told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest

from marketdata.collector.catchup import CatchUp
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.lane import Lane
from marketdata.collector.okx.messages import CandlePush
from marketdata.collector.pipeline import FAR_FUTURE, NOT_COLLECTED, Pipeline
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    InstrumentSpec,
    Source,
    Trades,
    trade_array,
)
from marketdata.domain.stream import InstrumentStream
from tests.marketdata.collector.memory import MemorySink, Screen
from tests.patience import becomes

pytestmark = pytest.mark.asyncio

SPEC = InstrumentSpec("BTC-USDT", Decimal("0.1"), Decimal("0.01"))
START_MS = 1_767_614_400_000
MINUTE_MS = 60_000
PRICES = (1.0, 1.0, 1.0, 1.0)
UNKNOWNS = (UNKNOWN, UNKNOWN, UNKNOWN)
QUICK = CollectorSettings(tick_ms=5, give_up_quiet_s=0.0, backoff_base_s=0.001, backoff_cap_s=0.01)


def row(number: int) -> tuple[int, int, float, float, int, int]:
    """Trade 1 is made at the start; ten seconds pass between two trades."""
    return (number, START_MS + 10_000 * (number - 1), 100.0 + number % 7, 1.0, 1, 1)


class Archive:
    """Implements History: serves trades 1 to `last` and their candles, when it is there."""

    def __init__(self, last: int = 100) -> None:
        self.last = last
        self.is_away = False
        self.pages = 0

    async def server_time_ms(self) -> int:
        return START_MS

    async def instruments(self, kind: str) -> list[object]:
        return []

    async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
        await self._answer()
        end = self.last + 1 if before_id is None else min(before_id, self.last + 1)
        return trade_array([row(number) for number in range(max(1, end - 5), end)])

    async def candles_before(self, symbol: str, before_ms: int | None) -> Candles:
        await self._answer()
        opens = [START_MS + minute * MINUTE_MS for minute in range(self.last // 6)]
        rows = [
            (time, *PRICES, 6.0, 6.0, *UNKNOWNS, 1, Source.EXCHANGE, 0, 0)
            for time in opens
            if before_ms is None or time < before_ms
        ]
        return np.array(rows[-3:], dtype=CANDLE_DTYPE)

    async def _answer(self) -> None:
        self.pages += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise ExchangeUnavailable("HTTP 503")


class Work:
    """A pipeline with a catch-up, a store and an exchange, all in memory."""

    def __init__(
        self, archive: Archive, settings: CollectorSettings, monotonic: Callable[[], float]
    ) -> None:
        self.archive, self.sink, self.screen = archive, MemorySink([SPEC]), Screen()
        self.complaints = Complaints()
        self.pipeline = Pipeline(
            self.sink,
            self.screen,
            settings,
            self.complaints,
            lambda lane, hole: self.catchup.open(lane, hole),
            lambda lane: self.catchup.verify(lane),
        )
        self.catchup = CatchUp(
            archive, self.sink, self.pipeline, settings, self.complaints, monotonic
        )

    @property
    def lane(self) -> Lane:
        return self.pipeline.lanes["BTC-USDT"]

    @property
    def stored(self) -> list[int]:
        return sorted(self.sink.books["BTC-USDT"].trades)

    @property
    def candles(self) -> dict[int, np.void]:
        """Stored candles by the number of their minute."""
        candles = self.sink.books["BTC-USDT"].candles
        return {(time - START_MS) // MINUTE_MS: candle for time, candle in candles.items()}

    def trades(self, *numbers: int) -> None:
        for number in numbers:
            self.pipeline.trade("BTC-USDT", row(number))
        self.pipeline.flush()

    async def settled(self) -> None:
        await becomes(lambda: self.catchup.running == 0)
        await self.pipeline.writer.flushed()


@contextlib.asynccontextmanager
async def working(
    archive: Archive | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    **changed: object,
) -> AsyncIterator[Work]:
    work = Work(archive or Archive(), replace(QUICK, **changed), monotonic)
    await work.pipeline.resume([SPEC], START_MS)
    writing = asyncio.create_task(work.pipeline.writer.run())
    try:
        yield work
    finally:
        await work.catchup.close()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await work.pipeline.writer.close()


async def test_a_first_start_in_the_middle_of_a_minute_fetches_the_minutes_first_trades():
    async with working() as work:
        work.trades(4, 5)
        await work.settled()
        work.trades(6, 7)
        await work.settled()

    assert work.stored == [1, 2, 3, 4, 5, 6, 7]
    assert work.candles[0]["trade_count"] == 6


async def test_missing_trades_are_fetched_page_by_page():
    async with working() as work:
        work.trades(1)
        await work.settled()
        work.trades(20)
        assert work.lane.stream.forming["minutes"] == 0, "not whole while trades are missing"
        await work.settled()

    assert work.stored == list(range(1, 21))
    assert sorted(work.candles) == [0, 1, 2]
    assert all(candle["minutes"] == 1 for candle in work.candles.values())


async def test_after_30_s_of_exchange_time_a_hole_is_given_up_and_filled_when_it_can_be():
    async with working(Archive(), give_up_exchange_ms=30_000) as work:
        work.trades(1, 2)
        await work.settled()
        work.archive.is_away = True
        work.trades(5, 6, 7)
        await asyncio.sleep(0)
        work.catchup.look()
        assert work.candles == {}, "withheld while the hole is open"
        work.trades(8, 9, 10)
        work.catchup.look()
        await work.pipeline.writer.flushed()
        assert work.candles[0]["minutes"] == 0, "handed on with a flag"
        assert len(work.sink.books["BTC-USDT"].given_up) == 1

        work.archive.is_away = False
        await work.settled()

    assert work.stored == list(range(1, 11))
    assert (work.candles[0]["minutes"], work.candles[0]["trade_count"]) == (1, 6)
    assert len(work.sink.books["BTC-USDT"].closed_holes) == 1


async def test_a_hole_that_is_still_being_filled_is_not_given_up():
    async with working(Archive(), give_up_exchange_ms=0, give_up_quiet_s=60.0) as work:
        work.trades(1)
        await work.settled()
        work.trades(90)
        for _ in range(5):
            work.catchup.look()
            await asyncio.sleep(0)
        await work.settled()

    assert work.sink.books["BTC-USDT"].given_up == []
    assert work.stored == list(range(1, 91))


async def test_a_hole_that_is_still_being_filled_withholds_half_a_minute_and_no_longer():
    class PageByPage(Archive):
        turns = asyncio.Semaphore(1)

        async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
            await self.turns.acquire()
            return await super().trades_before(symbol, before_id)

    settings = CollectorSettings()
    assert settings.give_up_s * 1000 == settings.give_up_exchange_ms == 30_000
    archive, wall = PageByPage(), SimpleNamespace(now_s=0.0)
    async with working(
        archive,
        give_up_exchange_ms=30_000,
        give_up_quiet_s=settings.give_up_quiet_s,
        monotonic=lambda: wall.now_s,
    ) as work:
        work.trades(1)
        await work.settled()
        work.trades(90)
        work.pipeline.clock.advance(work.pipeline.clock.now_ms + 30_000)
        book = work.sink.books["BTC-USDT"]
        for wall.now_s in (9.0, 18.0, 27.0, 29.9):
            fetched = archive.pages
            archive.turns.release()
            await becomes(lambda fetched=fetched: archive.pages > fetched)
            work.catchup.look()
            assert book.given_up == []
        wall.now_s = 30.0
        work.catchup.look()
        await work.pipeline.writer.flushed()
        assert len(book.given_up) == work.catchup.running == 1, "its repair goes on"
        assert work.candles[0]["minutes"] == 0, "handed on with a flag"
        for _ in range(20):
            archive.turns.release()
        await work.settled()

    assert work.stored == list(range(1, 91)), "what was found later is added"
    assert {int(candle["minutes"]) for candle in work.candles.values()} == {1}


@pytest.mark.parametrize(("most_s", "given_up"), [(60.0, [2]), (0.0, [2, 6])])
async def test_a_hole_whose_repair_waits_for_its_turn_is_given_up_only_after_long(most_s, given_up):
    class Gated(Archive):
        gate = asyncio.Event()

        async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
            await self.gate.wait()
            return await super().trades_before(symbol, before_id)

    archive = Gated()
    archive.gate.set()
    async with working(
        archive,
        repairs_at_once=1,
        give_up_exchange_ms=0,
        give_up_s=most_s,
        repair_patience_s=0.0 if most_s else 600.0,
    ) as work:
        work.trades(1)
        await work.settled()
        archive.gate.clear()
        work.trades(5)
        work.trades(9)
        await asyncio.sleep(0)
        work.catchup.look()
        await work.pipeline.writer.flushed()
        book = work.sink.books["BTC-USDT"]
        assert sorted(hole.first_id for hole in book.given_up) == given_up
        archive.gate.set()
        await work.settled()

    assert set(range(6, 10)) <= set(work.stored), "it had its turn"


async def test_ids_the_exchange_never_had_are_replaced_by_its_candles(monkeypatch):
    monkeypatch.setattr("marketdata.collector.paging.PAUSES_S", (0.001, 0.001))

    class WithoutSeven(Archive):
        async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
            page = await super().trades_before(symbol, before_id)
            return page[page["trade_id"] != 7]

    async with working(WithoutSeven()) as work:
        work.trades(1)
        await work.settled()
        work.trades(10)
        await becomes(lambda: work.stored[-1] == 10)
        assert work.candles[0]["minutes"] == 0
        work.trades(14)
        await work.settled()

    assert work.stored == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14]
    assert [candle["minutes"] for candle in work.candles.values()] == [1, 1]
    assert {int(candle["source"]) for candle in work.candles.values()} == {Source.EXCHANGE}
    assert len(work.sink.books["BTC-USDT"].given_up) == 1


async def test_too_many_missing_trades_are_replaced_by_the_exchanges_candles():
    async with working(max_hole_trades=20) as work:
        work.trades(1, 2)
        await work.settled()
        work.trades(40)
        await work.settled()
        work.trades(43)
        await work.settled()

    assert sorted(work.candles) == [0, 1, 2, 3, 4, 5, 6]
    sources = [work.candles[minute]["source"] for minute in range(7)]
    assert sources == [Source.EXCHANGE] * 6 + [Source.TRADES]
    assert work.candles[6]["trade_count"] == 6, "the current minute is made of all its trades"
    assert all(candle["minutes"] == 1 for candle in work.candles.values())
    assert len(work.sink.books["BTC-USDT"].given_up) == 1, "the trades themselves stay missing"


async def test_room_behind_a_hole_is_made_by_giving_up_the_hole():
    async with working() as work:
        work.trades(1)
        await work.settled()
        work.archive.is_away = True
        small = InstrumentStream(SPEC, work.sink.resume("BTC-USDT"), START_MS, buffer_limit=10)
        work.lane.stream = small
        work.trades(5, 6, 7)
        work.trades(*range(8, 20))
        await work.pipeline.writer.flushed()

    assert work.stored == [1, *range(5, 20)]
    assert work.complaints.counts() == {"buffer full": 1}


async def test_one_trade_from_a_far_future_is_skipped():
    async with working() as work:
        work.trades(1)
        await work.settled()
        work.pipeline.trade("BTC-USDT", (2, START_MS * 2, 100.0, 1.0, 1, 1))
        work.trades(3)
        await work.settled()

    assert work.stored == [1, 2, 3]
    assert work.pipeline.clock.now_ms == row(3)[1]
    assert work.complaints.counts() == {FAR_FUTURE: 1}


async def test_trades_of_an_instrument_that_is_not_collected_are_counted():
    async with working() as work:
        work.pipeline.trade("DOGE-USDT", row(1))

    assert work.complaints.counts() == {NOT_COLLECTED: 1}


async def test_a_confirmation_with_more_volume_brings_the_missing_trades_first():
    def confirmed(volume: float) -> CandlePush:
        return CandlePush("BTC-USDT", START_MS, 1.0, 1.0, 1.0, 1.0, volume, True)

    async with working(Archive(last=6)) as work:
        work.trades(1, 2, 3, 4)
        await work.settled()
        work.pipeline.candle(confirmed(6.0))
        work.pipeline.tick()
        await becomes(lambda: 0 in work.candles)

    assert work.stored == [1, 2, 3, 4, 5, 6]
    assert work.candles[0]["trade_count"] == 6
    assert work.candles[0]["revision"] == 0


async def test_a_quiet_minute_closes_flat_only_once_its_own_channels_have_passed_it():
    async with working() as work:
        work.trades(1, 2)
        await work.settled()
        work.pipeline.clock.advance(START_MS + 10 * MINUTE_MS)
        work.pipeline.tick()
        await work.pipeline.writer.flushed()
        assert sorted(work.candles) == [], "another instrument's clock proves nothing"

        open_ms = START_MS + 2 * MINUTE_MS
        work.pipeline.candle(CandlePush("BTC-USDT", open_ms, 1, 1, 1, 1, 0.0, False))
        work.pipeline.tick()
        await work.pipeline.writer.flushed()

    assert {minute: candle["source"] for minute, candle in work.candles.items()} == {
        0: Source.TRADES,
        1: Source.FLAT,
    }


def confirmed(minute: int, volume: float) -> CandlePush:
    """The exchange's closed candle of a minute, counted from the start."""
    return CandlePush(
        symbol="BTC-USDT",
        open_time_ms=START_MS + minute * MINUTE_MS,
        open=100.0,
        high=106.0,
        low=100.0,
        close=100.0,
        volume=volume,
        quote_volume=volume * 100,
        confirmed=True,
    )


async def test_a_doubted_minute_is_never_called_whole_while_the_exchange_does_not_answer():
    archive = Archive()
    async with working(archive, give_up_exchange_ms=20_000) as work:
        work.pipeline.connected(["BTC-USDT"], START_MS)
        work.trades(*range(1, 6))
        await work.settled()
        archive.is_away = True
        work.pipeline.candle(confirmed(0, 6.0))
        asked = archive.pages
        await becomes(lambda: archive.pages > asked + 10)
        work.pipeline.tick()
        assert 0 not in work.candles, "it waits for the exchange"
        work.pipeline.clock.advance(START_MS + MINUTE_MS + 20_000)
        await becomes(lambda: 0 in work.candles)

    assert work.candles[0]["minutes"] == 0
    assert work.candles[0]["trade_count"] == 5


async def test_a_doubted_minute_is_handed_on_when_the_exchange_goes_away_after_an_answer():
    class GoingAway(Archive):
        async def trades_before(self, symbol: str, before_id: int | None) -> Trades:
            answer = await super().trades_before(symbol, before_id)
            self.is_away = True
            return answer

    archive = GoingAway(last=5)
    async with working(archive, give_up_exchange_ms=20_000) as work:
        work.pipeline.connected(["BTC-USDT"], START_MS)
        work.trades(*range(1, 6))
        await work.settled()
        archive.is_away = False
        asked = archive.pages
        work.pipeline.candle(confirmed(0, 6.0))
        await becomes(lambda: archive.pages > asked + 10)
        assert 0 not in work.candles, "it waits for the exchange"
        work.pipeline.clock.advance(START_MS + MINUTE_MS + 20_000)
        await becomes(lambda: 0 in work.candles)

    assert work.candles[0]["minutes"] == 0


async def test_a_doubted_minute_waits_until_the_exchange_answers():
    archive = Archive()
    async with working(archive) as work:
        work.pipeline.connected(["BTC-USDT"], START_MS)
        work.trades(*range(1, 6))
        await work.settled()
        archive.is_away = True
        work.pipeline.candle(confirmed(0, 6.0))
        asked = archive.pages
        await becomes(lambda: archive.pages > asked + 10)
        archive.is_away, archive.last = False, 6
        await becomes(lambda: 0 in work.candles)

    assert work.candles[0]["minutes"] == 1
    assert work.candles[0]["trade_count"] == 6


async def test_while_the_id_rule_is_suspended_a_missing_id_is_no_hole():
    spec = replace(SPEC, has_id_rule=False)
    async with working() as work:
        await work.pipeline.resume([spec], START_MS)
        work.trades(*range(1, 6))
        await work.settled()
        work.trades(8, 9, 14)
        work.trades(7)
        assert not work.lane.stream.holes
        await work.settled()

    assert work.stored == [1, 2, 3, 4, 5, 7, 8, 9, 14]
    assert not work.sink.books["BTC-USDT"].given_up
    assert work.candles[0]["minutes"] == 1


async def test_after_an_outage_with_the_rule_suspended_everything_the_exchange_has_is_fetched(
    monkeypatch,
):
    monkeypatch.setattr("marketdata.collector.paging.PAUSES_S", (0.001, 0.002))
    archive = Archive()
    serve = archive.trades_before

    async def without_17_and_18(symbol: str, before_id: int | None) -> Trades:
        page = await serve(symbol, before_id)
        return page[~np.isin(page["trade_id"], (17, 18))]

    monkeypatch.setattr(archive, "trades_before", without_17_and_18)
    async with working(archive) as work:
        await work.pipeline.resume([replace(SPEC, has_id_rule=False)], START_MS)
        work.trades(*range(1, 8))
        await work.settled()
        work.pipeline.disconnected(["BTC-USDT"])
        work.pipeline.connected(["BTC-USDT"], START_MS + 4 * MINUTE_MS)
        work.trades(25, 26)
        await work.settled()

    assert work.stored == [number for number in range(1, 27) if number not in (17, 18)]
    assert not work.sink.books["BTC-USDT"].given_up
    assert [work.candles[minute]["minutes"] for minute in range(4)] == [1, 1, 1, 1]
