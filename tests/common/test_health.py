"""Health: alive, ready with reasons when not, and the state of the whole installation."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from marketdata.models import Collector
from tcpdashboard.common.broker import QUEUES
from tcpdashboard.common.tasks import beat_heartbeat
from tcpdashboard.health import _IS_MIGRATED


@pytest.fixture
def valkey():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(autouse=True)
def _migrations_are_not_known():
    _IS_MIGRATED.clear()


@pytest.fixture
def nobody_listens():
    """The address of a port at which nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"redis://127.0.0.1:{port}/0"


def test_a_living_process_says_so_without_a_login(client):
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


@pytest.mark.django_db
def test_with_everything_there_the_process_is_ready(client):
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
def test_without_a_broker_the_process_is_not_ready_and_says_why(client, settings, nobody_listens):
    settings.REDIS_URL = nobody_listens
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unready"
    assert set(answer.json()["reasons"]) == {"broker"}
    assert "Redis does not answer" in answer.json()["reasons"]["broker"]


@pytest.mark.django_db
def test_with_migrations_missing_the_process_is_not_ready_and_says_what_to_do(client):
    with connection.cursor() as cursor:
        cursor.execute("delete from django_migrations where app = 'marketdata'")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "run `manage.py migrate`" in answer.json()["reasons"]["migrations"]


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_process_is_not_ready_but_lives(client, monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    answer = client.get("/health/ready")
    live, status = client.get("/health/live"), client.get("/health/status")
    connection.close()
    assert answer.status_code == 503
    assert "PostgreSQL does not answer" in answer.json()["reasons"]["database"]
    assert set(answer.json()["reasons"]) == {"database", "migrations"}
    assert live.status_code == 200
    assert status.status_code == 200
    assert "error" in status.json()["collectors"]
    assert set(status.json()["queues"]) == set(QUEUES)


@pytest.mark.django_db
def test_the_status_shows_how_old_beat_and_collectors_are(client, valkey):
    valkey.delete("health:beat")
    now = timezone.now()
    Collector.objects.create(
        name="live",
        exchange="okx-sim",
        state="live",
        heartbeat_at=now - timedelta(seconds=2),
        lease_expires_at=now + timedelta(seconds=8),
    )
    Collector.objects.create(name="never", exchange="okx-sim", desired="stopped")
    assert client.get("/health/status").json()["beat"] == {"age_s": None}
    beat_heartbeat()
    status = client.get("/health/status").json()
    assert 0 <= status["beat"]["age_s"] < 2
    live, never = status["collectors"]
    assert 2 <= live["heartbeat_age_s"] < 4
    assert live["is_held"]
    assert never["heartbeat_age_s"] is None
    assert not never["is_held"]


@pytest.mark.django_db
def test_the_status_shows_how_many_messages_wait(client, valkey):
    before = client.get("/health/status").json()["queues"]
    valkey.rpush("backtests", "a message")
    try:
        after = client.get("/health/status").json()["queues"]
    finally:
        valkey.lrem("backtests", 1, "a message")
    assert after == {**before, "backtests": before["backtests"] + 1}


@pytest.mark.django_db
def test_probes_work_without_tls_where_pages_are_redirected(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/ready").status_code == 200
    assert client.get("/login/").status_code == 301


STRANGER = {"REMOTE_ADDR": "192.0.2.1"}
PROXIED = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}


@pytest.mark.django_db
@pytest.mark.parametrize("seen", [STRANGER, PROXIED])
def test_the_status_is_not_for_strangers(client, seen):
    answer = client.get("/health/status", **seen)
    assert answer.status_code == 403
    assert set(answer.json()) == {"error"}


@pytest.mark.django_db
def test_the_status_is_for_staff_and_for_monitors_with_the_token(client, settings):
    settings.MONITOR_TOKEN = "a-long-monitor-token"
    token = {"HTTP_AUTHORIZATION": "Bearer a-long-monitor-token"}
    wrong = {"HTTP_AUTHORIZATION": "Bearer another"}
    assert client.get("/health/status", **STRANGER, **token).status_code == 200
    assert client.get("/health/status", **STRANGER, **wrong).status_code == 403
    users = get_user_model().objects
    client.force_login(users.create_user("reader"))
    assert client.get("/health/status", **STRANGER).status_code == 403
    client.force_login(users.create_user("staff", is_staff=True))
    assert client.get("/health/status", **STRANGER).status_code == 200


@pytest.mark.django_db
def test_without_a_token_set_an_empty_one_opens_nothing(client):
    for shown in ("Bearer ", "Bearer", ""):
        answer = client.get("/health/status", **STRANGER, HTTP_AUTHORIZATION=shown)
        assert answer.status_code == 403


@pytest.mark.django_db
def test_a_stranger_is_told_why_it_is_not_ready_without_details(client, settings, nobody_listens):
    settings.REDIS_URL = nobody_listens
    reasons = client.get("/health/ready", **STRANGER).json()["reasons"]
    assert reasons == {"broker": "the broker does not answer"}


@pytest.mark.django_db(transaction=True)
def test_without_a_database_a_stranger_sees_no_details(client, monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    ready = client.get("/health/ready", **STRANGER)
    status = client.get("/health/status", **STRANGER)
    connection.close()
    assert ready.json()["reasons"] == {
        "database": "the database does not answer",
        "migrations": "the database is not prepared",
    }
    assert status.status_code == 403


@pytest.mark.django_db
def test_once_all_migrations_are_applied_readiness_costs_one_query(
    client, django_assert_num_queries
):
    client.get("/health/ready")
    with django_assert_num_queries(1):
        assert client.get("/health/ready").status_code == 200
