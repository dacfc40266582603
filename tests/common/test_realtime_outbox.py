"""What a slow reader gets: the latest of each topic, and every final message."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tcpdashboard.common.closing import TOO_SLOW
from tcpdashboard.common.connection import Connection
from tcpdashboard.common.outbox import Frame, Kind, Outbox, OutboxFull
from tcpdashboard.common.realtime import Message
from tests.patience import becomes


def frame(seq, topic="t", kind=Kind.UPDATE, final=False):
    return Frame(Message(topic, "e", seq, f'{{"v":{seq}}}', final), kind)


def taken(outbox):
    frames = []
    while (found := outbox.take()) is not None:
        frames.append((found.message.topic, found.message.seq, found.kind.value))
    return frames


def test_a_newer_value_takes_the_place_of_a_waiting_one_and_says_so():
    outbox = Outbox()
    outbox.put(frame(1))
    outbox.put(frame(2))
    outbox.put(frame(3))

    assert taken(outbox) == [("t", 3, "merged")]


def test_final_messages_are_all_kept_in_order_between_running_values():
    outbox = Outbox()
    for seq in range(1, 7):
        outbox.put(frame(seq, final=seq in (2, 5)))

    assert taken(outbox) == [("t", 2, "merged"), ("t", 5, "merged"), ("t", 6, "update")]


def test_a_value_that_replaces_a_snapshot_is_a_snapshot():
    outbox = Outbox()
    outbox.put(frame(5, kind=Kind.SNAPSHOT))
    outbox.put(frame(6))

    assert taken(outbox) == [("t", 6, "snapshot")]


def test_a_busy_topic_keeps_its_place_in_line():
    outbox = Outbox()
    outbox.put(frame(1, topic="busy"))
    outbox.put(frame(1, topic="quiet"))
    outbox.put(frame(2, topic="busy"))

    assert [topic for topic, _, _ in taken(outbox)] == ["busy", "quiet"]


def test_too_many_final_messages_are_refused():
    outbox = Outbox(max_final=2)
    outbox.put(frame(1, final=True))
    outbox.put(frame(2, final=True))

    with pytest.raises(OutboxFull):
        outbox.put(frame(3, final=True))


def test_what_waits_of_a_topic_can_be_forgotten():
    outbox = Outbox()
    outbox.put(frame(1, topic="gone", final=True))
    outbox.put(frame(2, topic="gone"))
    outbox.put(frame(1, topic="kept"))
    outbox.discard("gone")

    assert taken(outbox) == [("kept", 1, "update")]
    assert not outbox


def test_a_message_is_encoded_as_one_json_object():
    text = Message("t", "e", 7, '{"candle":[1,2]}').text("update")

    assert orjson.loads(text) == {
        "topic": "t",
        "epoch": "e",
        "seq": 7,
        "type": "update",
        "candle": [1, 2],
    }
    assert orjson.loads(Message("t", "", 0, "{}").text("snapshot"))["seq"] == 0


class Wire:
    """A server's `send` that holds messages back while `is_open` is not set."""

    def __init__(self):
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.sent = []
        self.ended = []

    async def send(self, event):
        await self.is_open.wait()
        self.sent.append(orjson.loads(event["text"]).get("seq"))

    def connection(self, timeout_s=5.0):
        return Connection(self.send, self.ended.append, timeout_s)


@pytest.mark.asyncio
async def test_a_reader_who_keeps_up_gets_everything_without_a_task():
    wire = Wire()
    connection = wire.connection()
    tasks = len(asyncio.all_tasks())

    for seq in range(1, 101):
        connection.push(frame(seq))

    assert wire.sent == list(range(1, 101))
    assert len(asyncio.all_tasks()) == tasks


@pytest.mark.asyncio
async def test_a_reader_who_stops_for_a_while_gets_the_held_the_final_and_the_latest():
    wire = Wire()
    connection = wire.connection()
    connection.push(frame(1))
    wire.is_open.clear()
    for seq in range(2, 51):
        connection.push(frame(seq, final=seq in (10, 20)))
    wire.is_open.set()

    await becomes(lambda: wire.sent[-1] == 50)
    assert wire.sent == [1, 2, 10, 20, 50]
    connection.push(frame(51))
    assert wire.sent[-1] == 51
    assert not wire.ended


@pytest.mark.asyncio
async def test_a_reader_who_never_reads_is_given_up_once():
    wire = Wire()
    connection = wire.connection(timeout_s=0.05)
    wire.is_open.clear()
    connection.push(frame(1))

    await becomes(lambda: wire.ended)
    connection.push(frame(2))
    assert wire.ended == [TOO_SLOW]
    assert wire.sent == []


@pytest.mark.asyncio
async def test_a_reader_with_too_many_final_messages_waiting_is_given_up():
    wire = Wire()
    connection = wire.connection()
    wire.is_open.clear()
    for seq in range(1, 400):
        connection.push(frame(seq, final=True))

    assert wire.ended == [TOO_SLOW]
    await connection.close()


@pytest.mark.asyncio
async def test_a_closed_socket_is_no_error_for_the_others():
    attempts = []

    async def send(event):
        attempts.append(event)
        raise OSError("gone")

    gone, wire = Connection(send, pytest.fail), Wire()
    for seq in (1, 2):
        for connection in (gone, wire.connection()):
            connection.push(frame(seq))

    assert len(attempts) == 1
    assert wire.sent == [1, 2]
