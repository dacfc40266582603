"""How a feed holds on to its sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

import pytest

from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeRefused, ExchangeUnavailable
from marketdata.collector.feed import Feed
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import Channel, Socket
from tests.patience import PATIENCE_S, becomes

pytestmark = pytest.mark.asyncio

QUICK = CollectorSettings(
    backoff_base_s=0.001, backoff_cap_s=0.01, overlap_s=0.05, ack_within_s=0.5
)
BTC, ETH, SOL = (("trades-all", f"{base}-USDT") for base in ("BTC", "ETH", "SOL"))


class ToldSocket(Socket):
    """A socket that does what the test tells it to."""

    def __init__(self, channels: frozenset[Channel]) -> None:
        super().__init__(channels, QUICK)
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_open = False
        self.asked: list[tuple[str, list[Channel]]] = []

    async def ask(self, wish: str, channels: Collection[Channel]) -> None:
        self.asked.append((wish, sorted(channels)))

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
        self.lives: list[list[Channel]] = []
        self.losses: list[list[Channel]] = []
        self.feed = Feed(
            "business", {BTC, ETH}, self._open, self._live, self._lost, QUICK, self.complaints
        )

    def _open(self, channels: frozenset[Channel]) -> ToldSocket:
        self.sockets.append(ToldSocket(channels))
        return self.sockets[-1]

    async def _live(self, channels: frozenset[Channel]) -> None:
        self.told.append("live")
        self.lives.append(sorted(channels))
        if self.failures:
            self.failures -= 1
            raise ExchangeRefused("HTTP 400")
        await asyncio.sleep(3600)

    def _lost(self, channels: frozenset[Channel]) -> None:
        self.told.append("lost")
        self.losses.append(sorted(channels))

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
        assert old.is_open, "the new one has not proven itself yet"
        await becomes(lambda: not old.is_open)

        assert new.is_open
        assert holding.told == ["live"], "there was no moment without a subscription"


async def test_what_the_next_socket_brings_waits_for_what_the_old_one_still_has(held):
    async with held() as holding:
        old = await holding.socket(0)
        old.ready.set()
        await holding.settled()
        old.leaving.set()
        new = await holding.socket(1)
        taken: list[str] = []
        new.acknowledged(BTC)
        new.deliver(BTC, lambda: taken.append("new 8"))
        new.acknowledged(ETH)
        assert (new.ready.is_set(), new.is_ready) == (True, False)
        old.deliver(BTC, lambda: taken.append("old 7"))
        await becomes(lambda: not old.is_open)
        new.deliver(BTC, lambda: taken.append("new 9"))

        assert taken == ["old 7", "new 8", "new 9"]
        assert new.is_ready


async def test_an_old_socket_that_ends_before_the_next_one_is_subscribed_is_a_loss(held):
    async with held() as holding:
        old = await holding.socket(0)
        old.ready.set()
        await holding.settled()
        old.leaving.set()
        new = await holding.socket(1)
        old.end.set_exception(ExchangeUnavailable("closed"))
        await holding.settled()
        assert holding.told == ["live", "lost"]
        new.ready.set()
        await holding.settled()

        assert holding.told == ["live", "lost", "live"]


async def test_a_next_socket_that_ends_at_once_leaves_the_old_one_in_place(held):
    async with held() as holding:
        old = await holding.socket(0)
        old.ready.set()
        await holding.settled()
        old.leaving.set()
        new = await holding.socket(1)
        new.ready.set()
        await holding.settled()
        new.end.set_exception(ExchangeUnavailable("closed"))
        third = await holding.socket(2)
        assert old.is_open
        third.ready.set()
        await becomes(lambda: not old.is_open)

        assert holding.told == ["live"]


async def test_a_channel_that_is_added_goes_live_alone(held):
    async with held() as holding:
        socket = await holding.socket(0)
        socket.ready.set()
        await holding.settled()
        follow = asyncio.create_task(socket._follow())
        holding.feed.add({SOL})
        await becomes(lambda: socket.asked == [("subscribe", [SOL])])
        assert not holding.feed.is_subscribed(SOL)
        socket.acknowledged(SOL)
        await becomes(lambda: holding.lives == [[BTC, ETH], [SOL]])
        follow.cancel()

        assert holding.feed.is_subscribed(SOL)
        assert holding.told == ["live", "live"]


async def test_a_channel_that_is_removed_is_no_part_of_a_loss(held):
    async with held() as holding:
        (await holding.socket(0)).ready.set()
        await holding.settled()
        holding.feed.remove({ETH})
        holding.feed.replace("channel trades-all is silent")
        (await holding.socket(1)).ready.set()
        await holding.settled()

    assert holding.losses[0] == [BTC]
    assert holding.lives == [[BTC, ETH], [BTC]]


async def test_a_silent_channel_is_subscribed_anew_while_the_others_stay_live(held):
    async with held() as holding:
        socket = await holding.socket(0)
        for channel in (BTC, ETH):
            socket.acknowledged(channel)
        await holding.settled()
        follow = asyncio.create_task(socket._follow())
        holding.feed.renew({ETH}, "1 silent channels")
        await becomes(lambda: len(socket.asked) == 2)
        assert socket.asked == [("unsubscribe", [ETH]), ("subscribe", [ETH])]
        assert (holding.feed.is_subscribed(BTC), holding.feed.is_subscribed(ETH)) == (True, False)
        socket.acknowledged(ETH)
        await becomes(lambda: len(holding.lives) == 2)
        follow.cancel()

    assert holding.losses[0] == [ETH]
    assert holding.lives == [[BTC, ETH], [ETH]]
    assert len(holding.sockets) == 1


async def test_a_late_subscription_that_is_never_answered_ends_the_socket(held):
    async with held() as holding:
        socket = await holding.socket(0)
        socket.ready.set()
        await holding.settled()
        holding.feed.add({SOL})
        socket._unanswered.clear()
        with pytest.raises(ExchangeUnavailable, match="1 subscriptions not answered"):
            await asyncio.wait_for(socket._follow(), PATIENCE_S)

    assert socket.asked == [("subscribe", [SOL])] * 3


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
