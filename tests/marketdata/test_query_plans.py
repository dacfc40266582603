"""No page and no endpoint reads candles or trades from end to end; docs/data-model.md lists how."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from django.conf import settings
from django.db import connection
from django.urls import get_resolver

from marketdata.domain.records import TRADE_DTYPE
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.models import DataGap, from_ms
from marketdata.storage import write_candles
from marketdata.storage.trades import write_trades
from tests.marketdata.query_plans import Access, accesses, plans_of_statements
from tests.marketdata.web.conftest import (
    START_MS as TODAY_MS,
)
from tests.marketdata.web.conftest import (
    client_of,
    make_instrument,
    wandering_minutes,
)
from tests.people import make_staff

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.django_db]


BULK = ("marketdata_candle", "marketdata_trade", "marketdata_candleday")


@pytest.fixture(scope="module", autouse=True)
def _tidied(django_db_setup, django_db_blocker):
    """Begin with empty files, and leave them empty: a way is judged by how many pages it has.

    Vacuuming would leave the indexes as long as earlier tests, which commit nothing, made them.
    Nobody else analyses meanwhile: to them the rows of a test are none.
    """
    _tidy(django_db_blocker, "set (autovacuum_enabled = false)")
    yield
    _tidy(django_db_blocker, "reset (autovacuum_enabled)")


def _tidy(blocker, setting):
    with blocker.unblock(), connection.cursor() as cursor:
        # Whoever tidies up there already gives way, as soon as the server notices.
        cursor.execute("set lock_timeout = '60s'")
        for table in BULK:
            cursor.execute(f"alter table {table} {setting}")
        cursor.execute(f"truncate {', '.join(BULK)}")
        cursor.execute("vacuum (analyze)")
        cursor.execute("reset lock_timeout")


DAYS = 60
START_MS = TODAY_MS - 90 * DAY_MS
TRADES = 100_000
END_MS = START_MS + DAYS * DAY_MS
NOON_MS = END_MS - DAY_MS // 2
DOCUMENT = settings.BASE_DIR / "docs" / "data-model.md"

_ONE = "exchange=okx-sim&symbol=BTC-USDT"
_SPAN = f"start={END_MS - 3 * DAY_MS}&end={END_MS}"
_CHART = "/chart/okx-sim/BTC-USDT/1m"

REQUESTS = {
    "Markets": "/markets/",
    "Chart": f"{_CHART}/",
    "Chart: window": f"{_CHART}/window?{_SPAN}&indicators=ema:50",
    "Chart: window of all": f"{_CHART}/window?start={START_MS}&end={END_MS}",
    "Chart: figure": f"{_CHART}/figure?{_SPAN}",
    "Chart: file": f"{_CHART}/export?{_SPAN}",
    "System health": "/system/",
    "Data": "/data/",
    "Data: coverage": "/data/coverage",
    "Data: gaps": "/data/gaps",
    "Data: storage": "/data/storage",
    "Data: retention": "/data/retention",
    "Data: backfills": "/data/backfills",
    "Data: one day": f"/data/day/okx-sim/BTC-USDT/{from_ms(NOON_MS):%Y-%m-%d}/",
    "API candles": f"/api/v1/candles/?{_ONE}&timeframe=1m",
    "API candles of a range": f"/api/v1/candles/?{_ONE}&timeframe=1h&{_SPAN}",
    "API candles that fit": f"/api/v1/candles/?{_ONE}&timeframe=auto&{_SPAN}&max_points=500",
    "API trades": f"/api/v1/trades/?{_ONE}",
    "API trades of a range": f"/api/v1/trades/?{_ONE}&start={NOON_MS}&end={NOON_MS + 600_000}",
    "API integrity": f"/api/v1/integrity/?{_ONE}&timeframe=1m&{_SPAN}",
    "API integrity of hours": f"/api/v1/integrity/?{_ONE}&timeframe=1h&{_SPAN}",
    "API raw": f"/api/v1/raw/?exchange=okx-sim&channel=tickers&symbol=BTC-USDT&{_SPAN}",
    "API gaps": "/api/v1/gaps/",
    "API gap": "/api/v1/gaps/{gap}/",
    "API instruments": "/api/v1/instruments/",
    "API instrument": "/api/v1/instruments/okx-sim/BTC-USDT/",
    "API collectors": "/api/v1/collectors/",
    "API backfills": "/api/v1/backfills/",
    "Admin candles": "/admin/marketdata/candlerow/",
    "Admin candles of one": "/admin/marketdata/candlerow/?instrument__id__exact={instrument}",
    "Admin candle": "/admin/marketdata/candlerow/{instrument}-1-{noon}/change/",
    "Admin trades": "/admin/marketdata/traderow/",
    "Admin trades of one": "/admin/marketdata/traderow/?instrument__id__exact={instrument}",
    "Admin trade": "/admin/marketdata/traderow/{instrument}-{trade}-1/change/",
    "Admin instruments": "/admin/marketdata/instrument/",
    "Admin gaps": "/admin/marketdata/datagap/",
    "Health": "/health/ready",
}

# Redirects, and what is only posted to.
ELSEWHERE = {
    "home",
    "chart-last",
    "collection-switch",
    "data-backfill-start",
    "data-lock-add",
    "data-lock-remove",
    "data-decide",
    "backfill-detail",
    "collector-detail",
    "collector-start",
    "collector-stop",
    "collector-restart",
    "instrument-enable",
    "instrument-disable",
    "gap-repair",
}


@pytest.fixture
def stored(settings):
    """Three instruments with two months of candles and a tape each, analysed as in production."""
    settings.EXCHANGE = "okx-sim"
    coins = [make_instrument(f"{name}-USDT", is_enabled=True) for name in ("BTC", "ETH", "SOL")]
    for seed, coin in enumerate(coins):
        write_candles(
            coin, wandering_minutes(DAYS * 1440, start_ms=START_MS, seed=seed), reason="test"
        )
        with connection.cursor() as cursor:
            write_trades(cursor, coin.pk, tape())
    gap = DataGap.objects.create(
        instrument=coins[0],
        kind="candles",
        timeframe=1,
        start=from_ms(NOON_MS),
        end=from_ms(NOON_MS + MINUTE_MS),
        cause="loss",
    )
    with connection.cursor() as cursor:
        # Of all rows, not of some by chance.
        cursor.execute("set local default_statistics_target = 1000")
        cursor.execute("analyze")
    return {"instrument": coins[0].pk, "gap": gap.pk, "noon": NOON_MS, "trade": END_MS - DAY_MS}


def test_no_request_reads_candles_or_trades_from_end_to_end(stored):
    assert accesses_of_a_sum() == {Access("marketdata_candle", by_key=False, is_whole=True)}

    found, staff = {}, client_of(make_staff())
    for name, address in REQUESTS.items():
        with plans_of_statements() as told:
            answer = staff.get(address.format(**stored))
            _ = b"".join(answer) if answer.streaming else answer.content
        assert answer.status_code == 200, (name, answer.status_code, answer.content[:300])
        found[name] = accesses(told)
        assert told, f"{name} asked the database nothing: its statements were not seen"

    whole = [name for name, ways in found.items() if any(way.is_whole for way in ways)]
    assert whole == []
    expected = listing(found)
    assert documented() == expected, f"put this into {DOCUMENT.name}:\n\n{expected}"


def test_every_page_and_every_endpoint_is_asked():
    paths = [
        address.split("?")[0].format(**dict.fromkeys(FIELDS, 1)) for address in REQUESTS.values()
    ]
    asked = {get_resolver().resolve(path).url_name for path in paths}
    assert names_below("marketdata.urls") | names_below("marketdata.api.urls") <= asked | ELSEWHERE


def accesses_of_a_sum():
    with plans_of_statements() as told, connection.cursor() as cursor:
        cursor.execute("select sum(volume) from marketdata_candle where close > 0")
    return accesses(told)


FIELDS = ("instrument", "gap", "noon", "trade")


def names_below(module: str) -> set[str]:
    return {
        pattern.name for pattern in get_resolver(module).url_patterns if pattern.name is not None
    }


def tape():
    """A trade every 864 ms over the last day."""
    trades = np.zeros(TRADES, dtype=TRADE_DTYPE)
    trades["trade_id"] = 1 + np.arange(TRADES)
    trades["time_ms"] = END_MS - DAY_MS + np.arange(TRADES) * DAY_MS // TRADES
    trades["price"], trades["size"], trades["side"], trades["count"] = 60_000.0, 0.1, 1, 1
    return trades


def listing(found: dict[str, set[Access]]) -> str:
    return "\n".join(_rows(found))


def _rows(found: dict[str, set[Access]]) -> Iterator[str]:
    yield "| asked by | ways into candles and trades |"
    yield "|---|---|"
    for name, ways in found.items():
        if ways:
            yield f"| {name} | {'; '.join(str(way) for way in sorted(ways))} |"
    without = [name for name, ways in found.items() if not ways]
    yield f"| {', '.join(without)} | neither |"


def documented() -> str:
    found = re.search(r"<!-- plans -->\n(.*?)\n?<!-- end -->", DOCUMENT.read_text(), re.DOTALL)
    return found[1] if found else ""
