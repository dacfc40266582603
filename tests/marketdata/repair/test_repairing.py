"""Gaps of trades are filled from the exchange's history, by one worker each, without doubles."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from django.db.models import F
from django.db.models.functions import Now

from marketdata.domain.records import Source
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.exchanges import open_history
from marketdata.loading.listing import sync_instruments
from marketdata.models import (
    Candle,
    CandleRevision,
    DataGap,
    GapState,
    Instrument,
    RangeLock,
    Trade,
    from_ms,
)
from marketdata.repair.claims import claim_next, finish, renew
from marketdata.repair.running import repair_gaps
from marketdata.repair.scan import scan_instrument
from marketdata.storage import read_candles, read_trades, write_candles
from marketdata.storage.filling import fill_trades, settle_trades
from tcpdashboard.common.models import Alert
from tests.simulated_exchange import spawned_exchange

SYMBOL = "ETH-USDT"
NEVER_MS = 2**42


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with spawned_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def tape(exchange):
    """The exchange's last 2,000 trades, in order."""
    import asyncio

    from marketdata.collector.okx.constants import Endpoints
    from marketdata.collector.okx.rest import OKXHistory

    async def fetch():
        pages, before_id = [], None
        async with OKXHistory(Endpoints(exchange.rest, "", "")) as history:
            while sum(map(len, pages)) < 2_000:
                pages.append(await history.trades_before(SYMBOL, before_id))
                before_id = int(pages[-1]["trade_id"][0])
        return np.concatenate(pages[::-1])

    return asyncio.run(fetch())


@pytest.fixture
def market(exchange, settings, transactional_db):
    settings.EXCHANGE, settings.OKX_REST_URL = "okx-sim", exchange.rest
    settings.REPAIR_PAUSE_SECONDS, settings.REPAIR_RETRY_SECONDS = 0, 0
    sync_instruments("okx-sim")
    return Instrument.objects.named("okx-sim", SYMBOL)


def store(market, tape):
    """Store trades as a collector would have, with the candles they make."""
    fill_trades(market, tape)
    bounds = int(tape["time_ms"][0]), int(tape["time_ms"][-1])
    settle_trades(market, *bounds, len(tape), bounds[1])


def everything(market):
    return [
        read_candles(market, timeframe, 0, NEVER_MS)[
            ["open_time_ms", "open", "high", "low", "close", "volume", "trade_count", "minutes"]
        ].tolist()
        for timeframe in Timeframe
    ]


def test_a_hole_in_the_ids_is_found_and_filled_and_every_candle_is_as_if_nothing_was(market, tape):
    store(market, tape)
    undisturbed, trades = everything(market), read_trades(market, 0, NEVER_MS)
    Trade.objects.filter(instrument=market).delete()
    Candle.objects.filter(instrument=market).delete()
    missing = slice(700, 1_150)
    store(market, np.delete(tape, np.r_[missing]))
    assert everything(market) != undisturbed

    scan_instrument(market)
    gap = DataGap.objects.get(kind="trades")
    assert gap.ids == (int(tape["trade_id"][700]), int(tape["trade_id"][1_149]))
    assert not DataGap.objects.filter(kind="candles", timeframe=1).exists()
    assert repair_gaps("okx-sim") >= 1
    gap.refresh_from_db()
    assert (gap.state, gap.filled_with) == ("repaired", "trades")
    assert np.array_equal(read_trades(market, 0, NEVER_MS), trades)
    assert everything(market) == undisturbed
    assert CandleRevision.objects.filter(timeframe=1, reason="gap repaired").exists()
    scan_instrument(market)
    assert not DataGap.objects.live().exists()
