"""The System page: what it shows, to whom, and what is told to those who follow it."""

from __future__ import annotations

import json
import os
import re
from contextlib import ExitStack, closing
from datetime import timedelta

import psycopg2
import pytest
import redis
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from marketdata.models import Collector
from marketdata.supervision import vitals
from tcpdashboard.common.postgres.slots import LIMIT_OF_A_COMMAND, LIMITS
from tcpdashboard.common.realtime import channel_of, key_of, shared_publisher
from tcpdashboard.common.topics import ForbiddenTopic
from tcpdashboard.common.vitals.database import database_vitals
from tcpdashboard.common.vitals.machine import disk_vitals, redis_vitals
from tcpdashboard.routing import TOPICS
from tests.databases import NAME_OF_TESTS
from tests.patience import PATIENCE_S


@pytest.fixture
def broker():
    """Redis, with nothing told of health."""
    with redis.Redis.from_url(project.REDIS_URL) as client:
        client.delete(key_of("health"))
        yield client
        client.delete(key_of("health"))


@pytest.fixture
def collector(db):
    return Collector.objects.create(
        name="okx-sim",
        exchange="okx-sim",
        state="live",
        health="stale",
        heartbeat_at=timezone.now(),
        exchange_time=timezone.now(),
        counters={
            "messages": 1_000,
            "told_ms": 1_000_000,
            "connected": {"public": True, "business": False},
            "channels": {"public": 3, "business": 2},
            "lag": {"p50_ms": 12, "p99_ms": 80, "trades_s": 4.5},
            "waiting_trades": 7,
        },
        channels={
            "BTC-USDT": {
                "event_ms": 1,
                "channels": {"trades": {"state": "live"}, "candles": {"state": "stale"}},
            }
        },
    )


def health_of(answer):
    content = answer.content.decode()
    return json.loads(re.search(r'<script id="health"[^>]*>(.*?)</script>', content)[1])


def test_staff_see_every_part(staff, collector, broker):
    health = health_of(staff.get("/system/"))
    (row,) = health["collectors"]
    assert row["sockets"] == [
        {"name": "public", "is_live": True, "channels": 3},
        {"name": "business", "is_live": False, "channels": 2},
    ]
    assert row["troubled"] == [{"symbol": "BTC-USDT", "channel": "candles", "state": "stale"}]
    assert (row["lag"]["p99_ms"], row["waiting_trades"], row["messages_s"]) == (80, 7, None)
    assert set(health["queues"]["depths"]) >= {"collect", "ticks", "default"}
    assert health["database"]["max_connections"] == 220
    assert health["redis"]["bytes"] > 0
    assert 0 < health["disk"]["free_bytes"] <= health["disk"]["bytes"]


def test_others_see_nothing_of_it(reader):
    assert reader.get("/system/").status_code == 403
    assert 'href="/system/"' not in reader.get("/markets/").content.decode()


def test_the_topic_is_for_staff():
    TOPICS.authorise(get_user_model()(username="ann", is_staff=True), "health")
    with pytest.raises(ForbiddenTopic):
        TOPICS.authorise(get_user_model()(username="bob"), "health")


def test_messages_a_second_are_counted_between_two_reports(collector):
    first = vitals.vitals(workers=False)
    assert vitals.vitals(first, workers=False)["collectors"][0]["messages_s"] is None
    collector.heartbeat_at += timedelta(seconds=3)
    collector.save()
    assert vitals.vitals(first, workers=False)["collectors"][0]["messages_s"] is None
    collector.counters |= {"messages": 1_500, "told_ms": 1_005_000}
    collector.save()
    second = vitals.vitals(first, workers=False)
    assert second["collectors"][0]["messages_s"] == 100.0
    assert vitals.vitals(second, workers=False)["collectors"][0]["messages_s"] == 100.0
    collector.counters |= {"messages": 10, "told_ms": 1_010_000}
    collector.save()
    assert vitals.vitals(second, workers=False)["collectors"][0]["messages_s"] is None


def test_channels_of_no_instrument_are_counted_and_named_when_they_fail(collector):
    common = {"status": {"state": "live", "feed": "public"}, "account": {"state": "failed"}}
    collector.counters |= {"common": common}
    collector.save()
    (row,) = vitals.vitals(workers=False)["collectors"]
    assert row["channels"] == {"failed": 1, "live": 2, "stale": 1}
    assert [tuple(one.values()) for one in row["troubled"]] == [
        ("okx-sim", "account", "failed"),
        ("BTC-USDT", "candles", "stale"),
    ]


def test_nothing_is_read_while_nobody_follows(collector, broker):
    assert not vitals.tell_vitals()
    assert shared_publisher().latest("health") is None


def test_who_follows_is_told(collector, broker):
    database = broker.connection_pool.connection_kwargs["db"]
    with broker.pubsub() as follower:
        follower.subscribe(channel_of("health", database))
        assert follower.get_message(timeout=PATIENCE_S)["type"] == "subscribe"
        assert vitals.tell_vitals()
    told = vitals.last_told()
    assert told["collectors"][0]["name"] == "okx-sim"
    assert told["workers"] == []


def test_a_page_begins_with_what_was_told_a_moment_ago(staff, collector, broker):
    told = vitals.vitals(workers=False) | {"workers": [{"name": "worker-light"}]}
    shared_publisher().publish("health", {"health": told})
    assert health_of(staff.get("/system/"))["workers"] == [{"name": "worker-light"}]
    old = told | {"at_ms": told["at_ms"] - 60_000, "redis": {"error": "old"}}
    shared_publisher().publish("health", {"health": old})
    assert "error" not in health_of(staff.get("/system/"))["redis"]


def test_a_part_that_cannot_be_read_says_why(settings, collector):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    found = vitals.vitals(workers=False)
    assert "refused" in found["redis"]["error"]
    assert found["collectors"][0]["name"] == "okx-sim"


@pytest.mark.django_db
def test_connections_are_shown_by_process_and_statements_by_their_time():
    found = database_vitals()
    ours = next(one for one in found["connections"] if one["process"] == NAME_OF_TESTS)
    assert ours["active"] >= 1
    assert ours["limit"] == LIMIT_OF_A_COMMAND
    assert found["bytes"] > 1_000_000
    assert found["statements"]
    assert all(one["calls"] >= 1 for one in found["statements"])


@pytest.mark.django_db
def test_what_a_process_may_have_at_most_is_shown_beside_what_it_has():
    with ExitStack() as sessions:
        for name in ("tcpdashboard beat", "psql"):
            session = psycopg2.connect(os.environ["DATABASE_URL"], application_name=name)
            sessions.enter_context(closing(session))
        found = {one["process"]: one["limit"] for one in database_vitals()["connections"]}
    assert (found["tcpdashboard beat"], found["psql"]) == (LIMITS["beat"], None)


@pytest.mark.django_db
def test_a_server_that_measures_no_statements_is_no_error():
    with connection.cursor() as cursor:
        cursor.execute("drop extension pg_stat_statements")
    assert database_vitals()["statements"] is None


def test_redis_and_disk_are_read_directly():
    assert redis_vitals()["clients"] >= 1
    assert disk_vitals()["bytes"] > 0
