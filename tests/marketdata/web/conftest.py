"""People and markets that the tests of the pages share."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Source
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Instrument
from tests.people import make_staff

START_MS = 1_793_491_200_000  # 2026-11-01T00:00:00Z


@pytest.fixture
def reader(db):
    """A browser of an ordinary person."""
    return client_of(get_user_model().objects.create_user("reader"))


@pytest.fixture
def staff(db):
    """A browser of somebody who administers the installation."""
    return client_of(make_staff())


@pytest.fixture
def btc(db):
    return make_instrument("BTC-USDT", is_enabled=True)


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def make_instrument(symbol, *, exchange="okx-sim", tick="0.1", **values):
    base, quote = symbol.split("-")[:2]
    row = Instrument.objects.create(
        exchange=exchange,
        symbol=symbol,
        kind="spot",
        base=base,
        quote=quote,
        tick_size=Decimal(tick),
        lot_size=Decimal("0.00000001"),
        min_size=Decimal("0.00001"),
        **values,
    )
    row.refresh_from_db()
    return row


def wandering_minutes(count, *, start_ms=START_MS, seed=1):
    """Return `count` whole 1m candles of a random walk around 60,000 with a tick of 0.1."""
    random = np.random.default_rng(seed)
    closes = 60_000 + np.round(np.cumsum(random.normal(0, 8, count)), 1)
    candles = np.zeros(count, dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = start_ms + MINUTE_MS * np.arange(count)
    candles["close"] = np.round(closes, 1)
    candles["open"] = np.append(60_000.0, candles["close"][:-1])
    candles["high"] = np.round(np.maximum(candles["open"], candles["close"]) + 1.3, 1)
    candles["low"] = np.round(np.minimum(candles["open"], candles["close"]) - 1.1, 1)
    candles["volume"] = np.round(random.gamma(2, 0.3, count), 8)
    candles["quote_volume"] = np.round(candles["volume"] * candles["close"], 6)
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = UNKNOWN
    candles["minutes"] = 1
    candles["source"] = Source.EXCHANGE
    candles["closed_at_ms"] = candles["open_time_ms"] + MINUTE_MS
    return candles
