"""An instrument with two days of candles that every test of backtests runs over."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.cache import cache

from backtests.domain.warming import warm_kernels
from marketdata.storage import write_candles
from tests.marketdata.api.conftest import START_MS, make_instrument, minutes
from tests.marketdata.conftest import queues

__all__ = ["queues"]

DAYS = 2
ASKED = {
    "strategy": "ema_crossover",
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "timeframe": "5m",
    "start_ms": START_MS + 6 * 3_600_000,
    "end_ms": START_MS + DAYS * 86_400_000,
    "parameters": {"fast": 3, "slow": 9},
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile what is not on disk yet: within a test it would count against time limits."""
    if not session.config.option.collectonly:
        warm_kernels()


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "artefacts": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "artefacts"},
        },
    }
    settings.EXCHANGE = "okx-sim"
    cache.clear()


@pytest.fixture
def btc(db):
    return with_candles(make_instrument("BTC-USDT"))


def wave(count=DAYS * 1440):
    """Return candles whose price goes up and down with a period of four hours."""
    candles = minutes(count)
    prices = np.round(1000 + 40 * np.sin(np.arange(count) / 38.2), 1)
    candles["close"] = prices
    candles["open"] = np.append(prices[:1], prices[:-1])
    candles["high"] = np.maximum(candles["open"], candles["close"])
    candles["low"] = np.minimum(candles["open"], candles["close"])
    return candles


def with_candles(instrument, candles=None):
    write_candles(instrument, wave() if candles is None else candles, reason="test")
    return instrument
