"""People, instruments and data that the tests of the REST endpoints share."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from rest_framework.test import APIClient

from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Source
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Instrument
from tests.people import make_staff

START_MS = 1_763_769_600_000  # 2025-11-22T00:00:00Z


@pytest.fixture(autouse=True)
def _fresh(settings):
    """Collect the simulated exchange here; no request was counted yet."""
    settings.EXCHANGE = "okx-sim"
    cache.clear()


@pytest.fixture
def reader(db):
    """A client that is logged in as an ordinary person."""
    return client_of(get_user_model().objects.create_user("reader"))


@pytest.fixture
def staff(db):
    """A client that is logged in as staff."""
    return client_of(make_staff())


def client_of(user):
    client = APIClient()
    client.force_login(user)
    return client


@pytest.fixture
def btc(db):
    return make_instrument("BTC-USDT")


def make_instrument(symbol, *, exchange="okx-sim", kind="spot", **values):
    base, quote = symbol.split("-")[:2]
    row = Instrument.objects.create(
        exchange=exchange,
        symbol=symbol,
        kind=kind,
        base=base,
        quote=quote,
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.00000001"),
        min_size=Decimal("0.00001"),
        **values,
    )
    row.refresh_from_db()
    return row


def minutes(count, *, start_ms=START_MS, source=Source.EXCHANGE):
    """Return `count` whole 1m candles whose open rises by one from 100."""
    candles = np.zeros(count, dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = start_ms + MINUTE_MS * np.arange(count)
    candles["open"] = 100.0 + np.arange(count)
    candles["high"] = candles["open"] + 2
    candles["low"] = candles["open"] - 2
    candles["close"] = candles["open"] + 1
    candles["volume"] = 0.25
    candles["quote_volume"] = 25.0
    candles["trade_count"] = UNKNOWN
    candles["first_trade_id"] = UNKNOWN
    candles["last_trade_id"] = UNKNOWN
    candles["minutes"] = 1
    candles["source"] = source
    candles["closed_at_ms"] = candles["open_time_ms"] + MINUTE_MS
    return candles
