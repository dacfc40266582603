"""Fixtures of the tests of market data."""

from __future__ import annotations

import pytest
import redis
from django.conf import settings


@pytest.fixture
def queues():
    """The broker, empty before and after."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()
