"""An installation of two months: candles, trades, a backtest, a search, bots and their alerts."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from django.db import connection

from backtests.domain.settings import Stops, Trading
from backtests.domain.trading_json import trading_as_json
from backtests.requests import BacktestRequest
from backtests.searches import request_search
from backtests.searching.asking import SearchRequest
from backtests.services import request_backtest
from bots.models import Bot, OwnerVerdict
from marketdata.backfills import BackfillRequest, request_backfill
from marketdata.domain.records import TRADE_DTYPE
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.models import Collector, DataGap, from_ms
from marketdata.storage import write_candles
from marketdata.storage.trades import write_trades
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Alert, AlertChannel
from tests.bots.web.rows import START_MS as RUN_MS
from tests.bots.web.rows import add_everything, make_bot, make_config, run_bot
from tests.marketdata.web.conftest import make_instrument, wandering_minutes

DAYS = 60
END_MS = RUN_MS + DAY_MS
START_MS = END_MS - DAYS * DAY_MS
NOON_MS = END_MS - DAY_MS // 2
TRADES = 100_000


def store(owner):
    """Store three instruments with candles and a tape each, and what else a person has.

    Returns what addresses name, analysed as in production.
    """
    coins = [make_instrument(f"{name}-USDT", is_enabled=True) for name in ("BTC", "ETH", "SOL")]
    for seed, coin in enumerate(coins):
        write_candles(
            coin, wandering_minutes(DAYS * 1440, start_ms=START_MS, seed=seed), reason="test"
        )
        with connection.cursor() as cursor:
            write_trades(cursor, coin.pk, tape())
    ids = {"instrument": coins[0].pk, "noon": NOON_MS, "trade": END_MS - DAY_MS}
    ids |= (
        _marketdata(owner, coins[0]) | _backtests(owner) | _bots(owner, coins[0]) | _alerts(owner)
    )
    with connection.cursor() as cursor:
        # Of all rows, not of some by chance.
        cursor.execute("set local default_statistics_target = 1000")
        cursor.execute("analyze")
    return ids


def _marketdata(owner, coin):
    Collector.objects.create(name="okx-sim", exchange="okx-sim")
    gap = DataGap.objects.create(
        instrument=coin,
        kind="candles",
        timeframe=1,
        start=from_ms(NOON_MS),
        end=from_ms(NOON_MS + MINUTE_MS),
        cause="loss",
    )
    earlier = BackfillRequest("okx-sim", "BTC-USDT", start_ms=START_MS - DAY_MS, end_ms=START_MS)
    return {"gap": gap.pk, "backfill": request_backfill(earlier, owner).pk}


def _backtests(owner):
    asked = {
        "strategy": "ema_crossover",
        "exchange": "okx-sim",
        "symbol": "BTC-USDT",
        "timeframe": "1h",
        "start_ms": START_MS + 10 * DAY_MS,
        "end_ms": END_MS,
    }
    run = BacktestRequest(**asked, parameters={"fast": 3, "slow": 9})
    runs = [request_backtest(run, owner) for _ in range(2)]
    space = {"fast": {"min": 3, "max": 4}, "slow": {"values": [8, 9]}}
    search = request_search(SearchRequest(**asked, space=space), owner)
    for job in [*(each.job_id for each in runs), *search.jobs.values_list("pk", flat=True)]:
        assert run_job(job) == "done"
    return {"backtest": runs[0].pk, "again": runs[1].pk, "search": search.pk}


def _bots(owner, coin):
    config = make_config(owner)
    bot, stopped = (make_bot(owner, coin, name, config=config) for name in ("first", "second"))
    # Its chart reads the minutes while a trade was open.
    Bot.objects.update(trading=trading_as_json(Trading(stops=Stops(trailing_stop=Decimal("0.02")))))
    bot.refresh_from_db()
    add_everything(run_bot(bot))
    verdict = OwnerVerdict.objects.create(
        owner=owner,
        limit="max_drawdown",
        action="block",
        time=from_ms(END_MS),
        lifted_at=from_ms(END_MS),
    )
    return {"config": config.pk, "bot": bot.pk, "stopped": stopped.pk, "verdict": verdict.pk}


def _alerts(owner):
    alert = Alert.objects.create(kind="feed_stale", subject="okx-sim", message="stale")
    channel = AlertChannel.objects.create(
        name="mine", owner=owner, kind="email", address="a@example.org"
    )
    return {"alert": alert.pk, "channel": channel.pk}


def tape():
    """A trade every 864 ms over the last day."""
    trades = np.zeros(TRADES, dtype=TRADE_DTYPE)
    trades["trade_id"] = 1 + np.arange(TRADES)
    trades["time_ms"] = END_MS - DAY_MS + np.arange(TRADES) * DAY_MS // TRADES
    trades["price"], trades["size"], trades["side"], trades["count"] = 60_000.0, 0.1, 1, 1
    return trades
