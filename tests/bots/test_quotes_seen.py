"""The best bid and ask at decisions: from the tickers as stored to the distribution on the page."""

from __future__ import annotations

import json
import re

import pytest

from bots.models import ParityReport, Signal
from bots.parity.reporting import make_report
from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.models import from_ms
from marketdata.storage.raw import RawWriter
from tests.bots.people import make_market
from tests.bots.scenes import FREE, at, fresh, running
from tests.bots.stepping import step
from tests.bots.stories import feed
from tests.marketdata.web.conftest import client_of

pytestmark = pytest.mark.django_db(transaction=True)

MODEL = {**FREE, "slippage_bps": "20"}
BUY, SELL, REBUY, RESELL, LAST = 6, 7, 8, 10, 11
"""Minutes at whose open a decision was made, at closes of 101, 99, 102, 98 and 103."""


@pytest.fixture
def bot(market, settings):
    """A bot that decided five times, beside tickers of which three decisions have one."""
    settings.EXCHANGE = "okx-sim"
    bot = running(market, trading=MODEL)
    make_market("ETH-USDT")
    RawWriter("okx-sim").write(
        [
            ticker(BUY, -30_000, "100.9", "101.5"),
            # The newest before the close counts.
            ticker(BUY, -10_000, "100.8", "101.2"),
            ticker(BUY, -5_000, "90", "110", symbol="ETH-USDT"),
            ticker(SELL, -54_999, "98.7", "99.1"),
            # Too late for the sale, and there is a newer one for the next decision.
            ticker(SELL, 5_001, "98.9", "99.9"),
            # Up to the moment at which a step has long decided; better than the close.
            ticker(REBUY, 5_000, "101.9", "101.95"),
            # A whole minute before the sale, which has none.
            ticker(RESELL, -60_000, "97", "98"),
            # A side without an order is no quote.
            ticker(LAST, -9_000, "102.9", "103.1"),
            ticker(LAST, -1_000, "102.9", ""),
        ]
    )
    feed(market, 100, 101, 99, 102, 102.5, 98, 103, start=4)
    step(market)
    return fresh(bot)


def ticker(minute, after_ms, bid, ask, symbol="BTC-USDT"):
    """Return a ticker so many ms after a minute began."""
    time_ms, prices = at(minute) + after_ms, {"bidPx": bid, "askPx": ask, "last": "100"}
    payload = json.dumps(prices).encode()
    return RawMessage(RawChannel.TICKERS, symbol, time_ms, time_ms, payload)


def test_each_decision_keeps_the_newest_bid_and_ask_that_are_in_time_for_it(bot):
    told = Signal.objects.filter(bot=bot).order_by("time")
    found = list(told.values_list("time", "price", "target", "bid", "ask"))
    assert [
        (time, float(price), target > 0, bid, ask) for time, price, target, bid, ask in found
    ] == [
        (from_ms(at(BUY)), 101, True, 100.8, 101.2),
        (from_ms(at(SELL)), 99, False, 98.7, 99.1),
        (from_ms(at(REBUY)), 102, True, 101.9, 101.95),
        (from_ms(at(RESELL)), 98, False, None, None),
        (from_ms(at(LAST)), 103, True, None, None),
    ]


def test_the_report_and_the_page_tell_how_the_book_stood_to_the_model(bot):
    report = make_report(bot.run_id, ParityReport.Reason.ASKED)
    report.refresh_from_db()

    assert report.known == "matched"
    # The ask 0.2 above 101, the bid 0.3 below 99, the ask 0.05 below 102: in basis points
    # 19.802, 30.303 and -4.902. Between them percentiles lie on straight lines.
    assert report.details["slippage"] == {
        "decisions": 3,
        "model_bps": 20.0,
        "mean_bps": 15.068,
        "percentiles_bps": {
            "0": -4.902,
            "5": -2.432,
            "25": 7.45,
            "50": 19.802,
            "75": 25.053,
            "95": 29.253,
            "100": 30.303,
        },
        # 0.4 of 101, 0.4 of 98.9 and 0.05 of 101.925.
        "median_spread_bps": 39.604,
        "worse_than_model": 1,
        "bins": [
            *([None, -10.0, 0], [-10.0, -5.0, 0], [-5.0, -2.0, 1], [-2.0, -1.0, 0]),
            *([-1.0, 0.0, 0], [0.0, 1.0, 0], [1.0, 2.0, 0], [2.0, 5.0, 0], [5.0, 10.0, 0]),
            *([10.0, 20.0, 1], [20.0, 50.0, 1], [50.0, None, 0]),
        ],
    }
    page = client_of(bot.owner).get(f"/bots/{bot.pk}/?records=parity").content.decode()
    assert (
        "Slippage seen in the book at 3 decisions, in basis points: 15.068 on average, "
        "the model charges 20; worse than the model 1 times"
    ) in page
    rows = re.findall(
        r'<th scope="row" class="num">([^<]*)</th>.*?<td class="num">(\d+)</td>', page
    )
    assert [row for row in rows if row[1] != "0"] == [
        ("-5 to -2", "1"),
        ("10 to 20", "1"),
        ("20 to 50", "1"),
    ]
    assert len(rows) == 12
