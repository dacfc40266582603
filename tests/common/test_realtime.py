"""Topics in Redis and the socket at /ws/stream/, on the real server."""

from __future__ import annotations

import asyncio
import uuid

import orjson
import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from redis import Redis

from tcpdashboard.asgi import application
from tcpdashboard.common.closing import close_event
from tcpdashboard.common.consumers import MAX_MESSAGES_PER_S, MAX_TOPICS, StreamApplication
from tcpdashboard.common.hub import running_hub
from tcpdashboard.common.realtime import Draft, TopicPublisher, key_of
from tcpdashboard.common.sockets import with_wire
from tcpdashboard.routing import TOPICS

# Who may read is asked of the database, by threads of whichever application a socket reaches.
pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]

stream = with_wire(StreamApplication(TOPICS))


class Socket(ApplicationCommunicator):
    """A WebSocket without a server (that of channels.testing wants daphne)."""

    def __init__(self, app, **scope):
        super().__init__(app, {"type": "websocket", "path": "/ws/stream/", "headers": [], **scope})

    async def connect(self):
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output(5))["type"] == "websocket.accept"

    async def send(self, data):
        kind = "text" if isinstance(data, str) else "bytes"
        await self.send_input({"type": "websocket.receive", kind: data})

    async def receive(self):
        return orjson.loads((await self.receive_output(5))["text"])

    async def disconnect(self):
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


@pytest.fixture
def topic():
    return f"candles:test-{uuid.uuid4().hex[:8]}:BTC-USDT:1m"


@pytest.fixture
def publisher():
    publisher = TopicPublisher(settings.REDIS_URL)
    yield publisher
    publisher.close()


@pytest.fixture
def redis():
    redis = Redis.from_url(settings.REDIS_URL)
    yield redis
    redis.close()


@pytest_asyncio.fixture
async def connect():
    """A function that opens a socket of somebody who is logged in, past its status messages."""
    opened = []

    async def open_socket():
        trader = get_user_model()(username="trader")
        socket = Socket(stream, user=trader, session=SessionStore(uuid.uuid4().hex))
        opened.append(socket)
        assert await socket.connect()
        while not (await socket.receive())["live"]:
            pass
        return socket

    yield open_socket
    for socket in opened:
        await socket.disconnect()


def headers(origin="http://localhost"):
    return [(b"origin", origin.encode()), (b"host", b"localhost")]


def session_cookie():
    user = get_user_model().objects.create_user(uuid.uuid4().hex)
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}".encode()


async def ask(socket, **request):
    await socket.send(orjson.dumps(request).decode())


async def subscribe(socket, *topics):
    await ask(socket, op="subscribe", topics=topics)
    return [await socket.receive() for _ in topics]


@pytest.mark.parametrize("name", ["collectors", "gaps", "alerts"])
async def test_a_topic_that_nobody_has_published_answers_with_an_empty_snapshot(
    connect, redis, name
):
    redis.delete(key_of(name))
    (answer,) = await subscribe(await connect(), name)
    assert answer == {"topic": name, "epoch": "", "seq": 0, "type": "snapshot"}


async def publish(publisher, topic, value, **options):
    return await sync_to_async(publisher.publish, thread_sensitive=False)(
        topic, {"value": value}, **options
    )


async def test_the_first_answer_is_what_was_published_last(connect, publisher, topic):
    await publish(publisher, topic, 1)
    await publish(publisher, topic, 2)

    [snapshot] = await subscribe(await connect(), topic)

    assert snapshot["type"] == "snapshot"
    assert (snapshot["topic"], snapshot["seq"], snapshot["value"]) == (topic, 2, 2)


async def test_updates_follow_the_snapshot_in_order_without_holes(connect, publisher, topic):
    await publish(publisher, topic, 0)
    socket = await connect()
    [snapshot] = await subscribe(socket, topic)

    updates = []
    for value in range(1, 21):
        await publish(publisher, topic, value)
        # Taken before the next is published: what waits is replaced by what is newer.
        updates.append(await socket.receive())

    assert [update["value"] for update in updates] == list(range(1, 21))
    assert [update["seq"] for update in updates] == list(range(2, 22))
    assert {update["type"] for update in updates} == {"update"}
    assert {update["epoch"] for update in updates} == {snapshot["epoch"]}


async def test_final_values_that_come_all_at_once_are_each_told_in_order(connect, publisher, topic):
    await publish(publisher, topic, 0)
    socket = await connect()
    await subscribe(socket, topic)

    drafts = [Draft(topic, {"value": value}, is_final=True) for value in range(1, 21)]
    await sync_to_async(publisher.publish_many)(drafts)

    updates = [await socket.receive() for _ in range(20)]
    assert [update["value"] for update in updates] == list(range(1, 21))
    assert {update["type"] for update in updates} == {"update"}


async def test_a_topic_without_a_message_has_an_empty_snapshot(connect, publisher, topic):
    socket = await connect()

    assert await subscribe(socket, topic) == [
        {"topic": topic, "epoch": "", "seq": 0, "type": "snapshot"}
    ]
    await publish(publisher, topic, 1)
    update = await socket.receive()
    assert (update["type"], update["seq"]) == ("update", 1)


async def test_a_second_reader_gets_the_newest_message_as_its_snapshot(connect, publisher, topic):
    first, second = await connect(), await connect()
    await subscribe(first, topic)
    await publish(publisher, topic, 7)
    await first.receive()

    [snapshot] = await subscribe(second, topic)
    await publish(publisher, topic, 8)

    assert (snapshot["type"], snapshot["value"]) == ("snapshot", 7)
    assert (await first.receive())["value"] == (await second.receive())["value"] == 8


async def test_nothing_is_lost_or_doubled_when_one_subscribes_while_messages_flow(
    connect, publisher, topic
):
    done = asyncio.Event()

    async def flow():
        while not done.is_set():
            await publish(publisher, topic, 1)

    flowing = asyncio.create_task(flow())
    for _ in range(5):
        socket = await connect()
        [snapshot] = await subscribe(socket, topic)
        seq = snapshot["seq"]
        for _ in range(10):
            update = await socket.receive()
            # At this pace the hub may merge some; whatever it merged, it says so.
            assert (update["type"], update["seq"] - seq) == ("update", 1) or (
                update["type"] == "merged" and update["seq"] > seq + 1
            )
            seq = update["seq"]
        await ask(socket, op="unsubscribe", topics=[topic])
    done.set()
    await flowing


async def test_two_topics_come_over_one_socket(connect, publisher, topic):
    other = topic.replace("BTC", "ETH")
    socket = await connect()
    await subscribe(socket, topic, other)

    await sync_to_async(publisher.publish_many)([Draft(topic, {"v": 1}), Draft(other, {"v": 2})])

    received = [await socket.receive(), await socket.receive()]
    assert {(update["topic"], update["v"]) for update in received} == {(topic, 1), (other, 2)}


async def test_nothing_comes_after_unsubscribing(connect, publisher, topic):
    other = topic.replace("BTC", "ETH")
    socket = await connect()
    await subscribe(socket, topic, other)

    await ask(socket, op="unsubscribe", topics=[topic])
    await ask(socket, op="ping")
    assert (await socket.receive())["type"] == "pong"
    await publish(publisher, topic, 1)
    await publish(publisher, other, 2)

    assert (await socket.receive())["topic"] == other


async def test_one_may_subscribe_again_and_gets_another_snapshot(connect, publisher, topic):
    await publish(publisher, topic, 1)
    socket = await connect()
    await subscribe(socket, topic)

    assert (await subscribe(socket, topic))[0]["type"] == "snapshot"
    await ask(socket, op="unsubscribe", topics=[topic])
    assert (await subscribe(socket, topic))[0]["value"] == 1


async def test_a_lost_state_begins_a_new_epoch_that_is_told_as_a_snapshot(
    connect, publisher, topic, redis
):
    await publish(publisher, topic, 1)
    socket = await connect()
    [before] = await subscribe(socket, topic)

    redis.delete(key_of(topic))
    await publish(publisher, topic, 2)

    after = await socket.receive()
    assert (after["type"], after["seq"], after["value"]) == ("snapshot", 1, 2)
    assert after["epoch"] != before["epoch"]


async def test_values_given_up_by_the_publisher_make_a_hole_that_is_told_as_a_snapshot(
    connect, publisher, topic
):
    await publish(publisher, topic, 1)
    socket = await connect()
    await subscribe(socket, topic)

    await sync_to_async(publisher.publish_many)([Draft(topic, {"value": 5}, skipped=3)])

    after = await socket.receive()
    assert (after["type"], after["seq"], after["value"]) == ("snapshot", 5, 5)


async def test_a_browser_with_a_session_is_let_in(topic):
    cookie = await sync_to_async(session_cookie)()
    socket = Socket(application, headers=[*headers(), (b"cookie", cookie)])

    assert await socket.connect()
    while not (await socket.receive())["live"]:
        pass
    [snapshot] = await subscribe(socket, topic)
    assert snapshot["topic"] == topic
    await socket.disconnect()


async def test_a_stranger_is_accepted_only_to_be_told_4401():
    socket = Socket(application, headers=headers())

    assert await socket.connect()
    assert await socket.receive_output(5) == close_event(4401)


async def test_a_page_of_another_site_is_refused():
    socket = Socket(application, headers=headers(origin="http://evil.example"))

    assert not await socket.connect()


async def test_an_address_without_a_socket_is_refused():
    socket = Socket(application, headers=headers(), path="/ws/other/")

    assert not await socket.connect()


async def test_an_unknown_topic_is_an_error_for_that_topic_alone(connect, topic):
    socket = await connect()

    await ask(socket, op="subscribe", topics=["secrets:1", topic])

    refusal, snapshot = await socket.receive(), await socket.receive()
    assert refusal == {
        "type": "error",
        "error": "there is no topic 'secrets:1'",
        "topic": "secrets:1",
    }
    assert snapshot["topic"] == topic


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "1",
        "{}",
        '{"op": "explode"}',
        '{"op": "subscribe"}',
        '{"op": "subscribe", "topics": "collectors"}',
        '{"op": "subscribe", "topics": [1]}',
        '{"op": "ping", "filler": "' + "x" * 17_000 + '"}',
    ],
    ids=lambda text: text[:30],
)
async def test_a_bad_message_is_answered_and_the_socket_lives_on(connect, text):
    socket = await connect()

    await socket.send(text)
    assert (await socket.receive())["type"] == "error"
    await ask(socket, op="ping")
    assert (await socket.receive())["type"] == "pong"


async def test_bytes_are_a_bad_message(connect):
    socket = await connect()

    await socket.send(b"{}")
    assert (await socket.receive())["type"] == "error"


async def test_a_socket_follows_a_limited_number_of_topics(connect, topic):
    socket = await connect()
    names = [topic.replace("BTC", f"C{number}") for number in range(MAX_TOPICS + 1)]

    await ask(socket, op="subscribe", topics=names)

    answers = [await socket.receive() for _ in names]
    [refusal] = [answer for answer in answers if answer["type"] == "error"]
    assert refusal["topic"] == names[-1]


async def test_a_flood_of_messages_closes_the_socket_with_4429(connect):
    socket = await connect()

    for _ in range(2 * MAX_MESSAGES_PER_S + 1):
        await ask(socket, op="ping")

    while (output := await socket.receive_output(5))["type"] != "websocket.close":
        assert orjson.loads(output["text"])["type"] == "pong"
    assert output["code"] == 4429


async def test_without_sockets_the_hub_lets_go_of_redis(connect, topic):
    socket = await connect()
    await subscribe(socket, topic)
    hub = running_hub()
    assert hub.is_running

    await socket.disconnect()

    assert not hub.is_running
    assert not hub.topic_names
