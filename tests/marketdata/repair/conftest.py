"""An exchange with 2,000 trades of one instrument, and the instrument to store them in."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from marketdata.collector.okx.constants import Endpoints
from marketdata.collector.okx.rest import OKXHistory
from marketdata.loading.listing import sync_instruments
from marketdata.models import Instrument
from tests.simulated_exchange import spawned_exchange

SYMBOL = "ETH-USDT"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with spawned_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def tape(exchange):
    """The exchange's last 2,000 trades, in order."""

    async def fetch():
        pages, before_id = [], None
        async with OKXHistory(Endpoints(exchange.rest, "", "")) as history:
            while sum(map(len, pages)) < 2_000:
                pages.append(await history.trades_before(SYMBOL, before_id))
                before_id = int(pages[-1]["trade_id"][0])
        return np.concatenate(pages[::-1])

    return asyncio.run(fetch())


@pytest.fixture
def market(exchange, settings, monkeypatch, transactional_db):
    settings.EXCHANGE, settings.OKX_REST_URL = "okx-sim", exchange.rest
    settings.REPAIR_PAUSE_SECONDS, settings.REPAIR_RETRY_SECONDS = 0, 0
    monkeypatch.setattr("marketdata.collector.paging.PAUSES_S", (0.001, 0.002))
    sync_instruments("okx-sim")
    return Instrument.objects.named("okx-sim", SYMBOL)
