"""Every test process works with its own engines, and with nothing outside this machine."""

import os
import socket

import pytest
import redis
from django.conf import settings
from django.db import connection


def test_django_and_child_processes_see_the_same_addresses():
    assert os.environ["REDIS_URL"] == settings.REDIS_URL
    assert str(settings.VAR_DIR) == os.environ["TCPD_VAR"]
    assert settings.DATABASES["default"]["HOST"] == connection.settings_dict["HOST"]


def test_no_other_test_process_uses_this_valkey():
    """What one worker publishes must not reach the subscribers of another."""
    name = f"owner-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.sadd("test-processes", name)
        assert client.smembers("test-processes") == {name.encode()}


def test_the_internet_is_out_of_reach():
    with pytest.raises((RuntimeError, UserWarning), match="A test tried to use"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
