"""The hub and the publisher while Redis stops, dies, forgets and comes back."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid

import orjson
import pytest
import pytest_asyncio
from redis import Redis

from tcpdashboard.common.conflation import ConflatingPublisher
from tcpdashboard.common.connection import Connection
from tcpdashboard.common.hub import Hub
from tcpdashboard.common.realtime import TopicPublisher
from tcpdashboard.embedded.engines import Engines
from tests.patience import becomes, until

TOPIC = "candles:test:BTC-USDT:1m"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """A Valkey of these tests' own."""
    folder = tmp_path_factory.mktemp("valkey")
    folder.chmod(0o755)
    engines = Engines(folder, only=("valkey",))
    engines.start()
    yield engines
    engines.stop()


@pytest.fixture
def valkey(engines):
    with Redis.from_url(engines.redis_url) as redis:
        redis.flushall()
    yield engines.processes["valkey"]
    engines.processes["valkey"].send_signal(signal.SIGCONT)


@pytest.fixture
def publisher(engines, valkey):
    publisher = TopicPublisher(engines.redis_url)
    yield publisher
    publisher.close()


class Reader:
    """A browser that keeps up: what it received, in order."""

    def __init__(self, hub):
        self.hub = hub
        self.received = []
        self.connection = Connection(self.send, pytest.fail)
        hub.attach(self.connection)

    async def send(self, event):
        self.received.append(orjson.loads(event["text"]))

    @property
    def states(self):
        return [text["live"] for text in self.received if text["type"] == "status"]

    @property
    def messages(self):
        return [text for text in self.received if text["type"] != "status"]

    async def until(self, condition):
        await becomes(lambda: condition(self), lambda: self.received)


@pytest_asyncio.fixture
async def reader(engines, valkey):
    hub = Hub(engines.redis_url)
    reader = Reader(hub)
    await reader.until(lambda reader: reader.states == [True])
    yield reader
    await hub.detach(reader.connection)


async def publish(publisher, value, **options):
    return await asyncio.to_thread(publisher.publish, TOPIC, {"value": value}, **options)


@pytest.mark.asyncio
async def test_an_idle_reader_still_gets_messages_after_eight_seconds(reader, publisher):
    reader.hub.join(reader.connection, TOPIC)
    await reader.until(lambda reader: reader.messages)

    await asyncio.sleep(8)
    await publish(publisher, 1)

    await reader.until(lambda reader: len(reader.messages) == 2)
    assert reader.messages[-1]["value"] == 1
    assert reader.states == [True]


@pytest.mark.asyncio
async def test_a_killed_redis_is_told_and_after_its_restart_everybody_gets_a_snapshot(
    reader, publisher, engines
):
    reader.hub.join(reader.connection, TOPIC)
    await publish(publisher, 1)
    await reader.until(lambda reader: reader.messages and "value" in reader.messages[-1])
    before = len(reader.messages)

    # Not from another thread: the kernel would end the server together with that thread.
    engines.restart("valkey")

    await reader.until(lambda reader: len(reader.messages) > before)
    assert reader.states == [True, False, True]
    assert reader.messages[-1]["type"] == "snapshot"
    await publish(publisher, 2)
    await reader.until(lambda reader: reader.messages[-1].get("value") == 2)
    assert reader.messages[-1]["seq"] > reader.messages[-2]["seq"]


@pytest.mark.asyncio
async def test_a_flushed_redis_begins_a_new_epoch(reader, publisher, engines):
    await publish(publisher, 1)
    reader.hub.join(reader.connection, TOPIC)
    await reader.until(lambda reader: reader.messages)

    with Redis.from_url(engines.redis_url) as redis:
        redis.flushall()
    await publish(publisher, 2)

    await reader.until(lambda reader: len(reader.messages) == 2)
    before, after = reader.messages
    assert after["epoch"] != before["epoch"]
    assert (after["type"], after["seq"], after["value"]) == ("snapshot", 1, 2)


@pytest.mark.asyncio
async def test_a_redis_that_hangs_is_told_as_lost_and_found_again(reader, publisher, valkey):
    reader.hub.join(reader.connection, TOPIC)
    await reader.until(lambda reader: reader.messages)

    valkey.send_signal(signal.SIGSTOP)
    await reader.until(lambda reader: reader.states[-1] is False)
    valkey.send_signal(signal.SIGCONT)
    await reader.until(lambda reader: reader.states[-1] is True)
    assert reader.states == [True, False, True]

    await publish(publisher, 7)
    await reader.until(lambda reader: reader.messages[-1].get("value") == 7)
    assert [message.get("value") for message in reader.messages].count(7) == 1


@pytest.mark.asyncio
async def test_topics_joined_during_an_outage_begin_when_it_ends(
    reader, publisher, engines, valkey
):
    await publish(publisher, 3)
    valkey.send_signal(signal.SIGSTOP)
    reader.hub.join(reader.connection, TOPIC)
    await asyncio.sleep(0.3)
    assert reader.messages == []

    valkey.send_signal(signal.SIGCONT)
    await reader.until(lambda reader: reader.messages)
    assert (reader.messages[0]["type"], reader.messages[0]["value"]) == ("snapshot", 3)


@pytest.mark.asyncio
async def test_nothing_offered_during_an_outage_blocks_and_the_last_and_closing_values_arrive(
    reader, engines, valkey
):
    publisher = ConflatingPublisher(TopicPublisher(engines.redis_url, timeout_s=0.3))
    reader.hub.join(reader.connection, TOPIC)
    await reader.until(lambda reader: reader.messages)

    valkey.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    for value in range(1_000):
        publisher.offer(TOPIC, {"value": value}, final=value % 100 == 0)
    took_s = time.monotonic() - started
    await asyncio.sleep(1.5)
    valkey.send_signal(signal.SIGCONT)

    await reader.until(lambda reader: reader.messages[-1].get("value") == 999)
    values = [message.get("value") for message in reader.messages]
    assert took_s < 0.2
    # A publication that timed out may still be carried out by Redis, and then comes twice.
    assert sorted(set(values[1:])) == [*range(0, 1_000, 100), 999]
    assert len(values) < 30
    publisher.close()


def latest_that_is(publisher, topic, value):
    """Wait until a topic's latest message has that value; return it."""
    payload = f'{{"value":{value}}}'
    until(lambda: (latest := publisher.latest(topic)) is not None and latest.payload == payload)
    return publisher.latest(topic)


def test_a_redis_that_dies_under_the_publisher_costs_no_final_value(engines, valkey):
    topic = f"t:{uuid.uuid4().hex}"
    publisher = ConflatingPublisher(TopicPublisher(engines.redis_url))
    publisher.offer(topic, {"value": 1}, final=True)
    engines.restart("valkey")
    publisher.offer(topic, {"value": 2}, final=True)
    publisher.offer(topic, {"value": 3})

    plain = TopicPublisher(engines.redis_url)
    latest = latest_that_is(plain, topic, 3)
    # The first one may have died with Redis before it reached the disk.
    assert latest.seq in (2, 3)
    publisher.close()
    plain.close()


def test_more_final_values_than_may_wait_leave_a_hole_that_readers_see(engines, valkey):
    topic = f"t:{uuid.uuid4().hex}"
    publisher = ConflatingPublisher(TopicPublisher(engines.redis_url, timeout_s=0.3))
    valkey.send_signal(signal.SIGSTOP)
    for value in range(200):
        publisher.offer(topic, {"value": value}, final=True)
    valkey.send_signal(signal.SIGCONT)

    plain = TopicPublisher(engines.redis_url)
    latest = latest_that_is(plain, topic, 199)
    assert latest.seq >= 200
    publisher.close()
    plain.close()


def test_messages_that_are_no_json_are_dropped_and_the_thread_lives_on(engines, valkey):
    topic = f"t:{uuid.uuid4().hex}"
    publisher = ConflatingPublisher(TopicPublisher(engines.redis_url))
    publisher.offer(topic, {"value": object()}, final=True)

    plain = TopicPublisher(engines.redis_url)

    def is_published():
        publisher.offer(topic, {"value": 1})
        return plain.latest(topic) is not None

    until(is_published)
    publisher.close()
    plain.close()
