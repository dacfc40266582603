"""What is told of bots: to whoever follows them, and nothing is read for nobody."""

from __future__ import annotations

import time

import orjson
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bots import services
from bots.publishing import BotsPublisher, bot_topic, bots_topic, tell_bots
from tcpdashboard.common.realtime import channel_of
from tests.bots.web.rows import make_config

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


class Follower:
    """Follows topics as a web process does."""

    def __init__(self, *topics):
        self.client = redis.Redis.from_url(settings.REDIS_URL)
        database = self.client.connection_pool.connection_kwargs.get("db") or 0
        self.pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        self.pubsub.subscribe(*[channel_of(topic, database) for topic in topics])
        while not self.pubsub.subscribed:
            self.pubsub.get_message(timeout=1)
        # The confirmation has been read: the server counts us now.
        self.pubsub.get_message(timeout=1)

    def next(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            message = self.pubsub.get_message(timeout=1)
            if message is not None:
                return orjson.loads(message["data"].split(b" ", 3)[3])
        raise AssertionError("nothing was told")

    def close(self):
        self.pubsub.close()
        self.client.close()


def test_a_followed_bot_is_told_with_its_figures(anns):
    follower = Follower(bot_topic(anns.owner_id, anns.pk))
    tell_bots({anns.pk: anns.owner_id})
    told = follower.next()["bot"]
    follower.close()
    assert (told["id"], told["state"], told["equity"]) == (anns.pk, "running", 10_000.0)


def test_the_owners_topic_has_the_rows_that_changed(anns):
    follower = Follower(bots_topic(anns.owner_id))
    tell_bots({anns.pk: anns.owner_id})
    told = follower.next()["bots"]
    follower.close()
    assert [row["id"] for row in told] == [anns.pk]


def test_a_bot_that_is_made_changed_or_taken_away_is_told_to_its_owner(ann, btc):
    config = make_config()
    given = {"name": "told", "symbol": "BTC-USDT", "exchange": "okx-sim", "config": config.name}
    follower = Follower(bots_topic(ann.pk))
    bot = services.create_bot(ann, services.checked(ann, given))
    made = follower.next()["bots"][-1]
    services.edit_bot(bot, {"name": "renamed"}, ann)
    renamed = follower.next()["bots"][-1]
    services.delete_bot(bot, ann)
    deleted = follower.next()["bots"][-1]
    follower.close()
    told = [(row["id"], row["name"], row["is_deleted"]) for row in (made, renamed, deleted)]
    assert told == [(bot.pk, "told", False), (bot.pk, "renamed", False), (bot.pk, "renamed", True)]


def test_nothing_is_read_of_bots_that_nobody_follows(anns):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        tell_bots({anns.pk: anns.owner_id})
    assert len(queries) == 0


class Offered:
    def __init__(self):
        self.payloads = []

    def offer(self, topic, payload):
        self.payloads.append((topic, payload))


def test_a_row_that_is_conflated_away_is_in_the_owners_next_message():
    out = Offered()
    publisher = BotsPublisher(out)
    publisher.tell({1: 7}, {1: {"id": 1}})
    publisher.tell({2: 7}, {2: {"id": 2}})
    assert out.payloads[-1] == ("bots:7", {"bots": [{"id": 1}, {"id": 2}]})
    assert ("bot:7:2", {"bot": {"id": 2}}) in out.payloads
