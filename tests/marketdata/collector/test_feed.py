"""How a feed holds on to its sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeRefused, ExchangeUnavailable
from marketdata.collector.feed import Feed
from marketdata.collector.settings import CollectorSettings
from tests.marketdata.collector.waiting import becomes

pytestmark = pytest.mark.asyncio

QUICK = CollectorSettings(backoff_base_s=0.001, backoff_cap_s=0.01)


class ToldSocket:
    """A socket that does what the test tells it to."""

    def __init__(self) -> None:
        self.ready, self.leaving = asyncio.Event(), asyncio.Event()
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_open = False

    async def run(self) -> None:
        self.is_open = True
        try:
            await self.end
        finally:
            self.is_open = False


class Held:
    """A feed at work, with the sockets it opened and what it told."""

    def __init__(self) -> None:
        self.sockets: list[ToldSocket] = []
        self.told: list[str] = []
        self.complaints = Complaints()
        self.failures = 0
        self.feed = Feed("business", self._open, self._live, self._lost, QUICK, self.complaints)

    def _open(self) -> ToldSocket:
        self.sockets.append(ToldSocket())
        return self.sockets[-1]

    async def _live(self) -> None:
        self.told.append("live")
        if self.failures:
            self.failures -= 1
            raise ExchangeRefused("HTTP 400")
        await asyncio.sleep(3600)

    def _lost(self) -> None:
        self.told.append("lost")

    async def socket(self, number: int) -> ToldSocket:
        """Return the numbered socket once it runs."""
        await becomes(lambda: len(self.sockets) > number and self.sockets[number].is_open)
        return self.sockets[number]

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
def held():
    """Return a way to hold a feed inside the test's loop."""

    @contextlib.asynccontextmanager
    async def hold() -> AsyncIterator[Held]:
        holding = Held()
        running = asyncio.create_task(holding.feed.run())
        try:
            yield holding
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return hold


async def test_a_feed_is_live_from_its_subscription_on(held):
    async with held() as holding:
        socket = await holding.socket(0)
        assert not holding.feed.is_live
        socket.ready.set()
        await holding.settled()

        assert holding.feed.is_live
        assert holding.told == ["live"]


async def test_going_live_is_tried_until_it_succeeds(held):
    async with held() as holding:
        holding.failures = 2
        (await holding.socket(0)).ready.set()
        await becomes(lambda: len(holding.told) == 3)
        await holding.settled()

        assert holding.feed.is_live
        assert holding.told == ["live", "live", "live"]
        assert holding.complaints.last_error == "business: ExchangeRefused: HTTP 400"


async def test_going_live_is_not_tried_any_more_when_the_feed_is_lost(held):
    async with held() as holding:
        holding.failures = 1_000_000
        (await holding.socket(0)).ready.set()
        await becomes(lambda: len(holding.told) >= 2)
        holding.feed.replace("channel trades-all is silent")
        told = len(holding.told)
        await asyncio.sleep(5 * QUICK.backoff_cap_s)

        assert holding.told[told - 1 :] == ["lost"]


async def test_a_lost_socket_is_followed_by_another(held):
    async with held() as holding:
        (await holding.socket(0)).ready.set()
        await holding.settled()
        holding.sockets[0].end.set_exception(ExchangeUnavailable("closed with 4004"))
        (await holding.socket(1)).ready.set()
        await holding.settled()

        assert holding.told == ["live", "lost", "live"]
        assert holding.complaints.last_error == "business: closed with 4004"


async def test_a_socket_that_never_got_ready_is_tried_again_without_being_live(held):
    async with held() as holding:
        (await holding.socket(0)).end.set_exception(ExchangeUnavailable("refused"))
        await holding.socket(1)

        assert holding.told == []


async def test_a_socket_about_to_close_is_read_until_the_next_one_is_subscribed(held):
    async with held() as holding:
        old = await holding.socket(0)
        old.ready.set()
        await holding.settled()
        old.leaving.set()
        new = await holding.socket(1)
        await holding.settled()
        assert old.is_open
        new.ready.set()
        await holding.settled()

        assert (old.is_open, new.is_open) == (False, True)
        assert holding.told == ["live"], "there was no moment without a subscription"


async def test_when_both_sockets_end_during_the_change_the_feed_is_lost(held):
    async with held() as holding:
        old = await holding.socket(0)
        old.ready.set()
        await holding.settled()
        old.leaving.set()
        new = await holding.socket(1)
        old.end.set_exception(ExchangeUnavailable("closed"))
        new.end.set_exception(ExchangeUnavailable("closed"))
        (await holding.socket(2)).ready.set()
        await holding.settled()

        assert holding.told == ["live", "lost", "live"]


async def test_a_distrusted_socket_counts_as_lost_at_once(held):
    async with held() as holding:
        (await holding.socket(0)).ready.set()
        await holding.settled()
        holding.feed.replace("channel trades-all is silent")
        assert holding.told == ["live", "lost"]
        (await holding.socket(1)).ready.set()
        await holding.settled()

        assert holding.told == ["live", "lost", "live"]
        assert not holding.sockets[0].is_open


async def test_a_programming_error_in_a_socket_is_survived_and_reported(held):
    async with held() as holding:
        (await holding.socket(0)).ready.set()
        await holding.settled()
        holding.sockets[0].end.set_exception(ZeroDivisionError("one half"))
        (await holding.socket(1)).ready.set()
        await holding.settled()

        assert holding.feed.is_live
        assert holding.complaints.last_error == "business: ZeroDivisionError: one half"


async def test_an_end_closes_every_socket(held):
    async with held() as holding:
        old = await holding.socket(0)
        old.ready.set()
        await holding.settled()
        old.leaving.set()
        await holding.socket(1)

    assert [socket.is_open for socket in holding.sockets] == [False, False]
    assert holding.told == ["live", "lost"]
