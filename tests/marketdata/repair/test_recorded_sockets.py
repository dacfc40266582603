"""Three sockets recorded at once, with the same subscriptions: every trade is stored once."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.collector.okx.messages import TradesPush
from marketdata.collector.okx.parsing import parse
from marketdata.domain.events import Resume
from marketdata.domain.records import trade_array
from marketdata.domain.stream import InstrumentStream
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Instrument, Trade
from marketdata.storage import DatabaseSink
from marketdata.storage.filling import fill_trades
from tests.marketdata.collector.test_okx_parsing import received
from tests.marketdata.storage.builders import SPEC, batch, make_instrument

SOCKETS = ("ws1", "ws2", "ws3")


@pytest.fixture(scope="module")
def recorded(shared_data):
    """All trade rows in the order of the sockets, by symbol; each socket has all of them."""
    rows = {}
    for socket in SOCKETS:
        file = shared_data / "okx-recorded" / f"OKEX.2021-07-22.{socket}.txt.gz"
        for frame in received(file):
            said = parse(frame)
            if isinstance(said, TradesPush):
                rows.setdefault(said.symbol, []).extend(said.rows)
    assert sum(map(len, rows.values())) == 108
    return {symbol: trade_array(list(some)) for symbol, some in rows.items()}


@pytest.mark.django_db
def test_storing_all_three_stores_36_trades(recorded):
    for symbol, trades in recorded.items():
        market = make_instrument(symbol, "okx")
        for part in np.array_split(trades, 7):
            fill_trades(market, part[np.argsort(part["trade_id"], kind="stable")])
    assert Trade.objects.count() == 36


@pytest.mark.django_db
def test_collecting_all_three_at_once_hands_on_36_trades(recorded):
    sink = DatabaseSink(None, "okx", None)
    for symbol, trades in recorded.items():
        make_instrument(symbol, "okx")
        first = trades[np.argmin(trades["trade_id"])]
        before_ms = Timeframe.M1.open_time(int(first["time_ms"])) - MINUTE_MS
        resume = Resume(int(first["trade_id"]) - 1, before_ms, 1.0, before_ms)
        stream = InstrumentStream(SPEC, resume, int(first["time_ms"]))
        for part in np.array_split(trades, 11):
            sink.commit(batch(symbol, **_emitted(stream.live(part))))
        for hole in stream.holes:
            sink.commit(batch(symbol, **_emitted(stream.give_up(hole, int(first["time_ms"])))))
    assert Trade.objects.count() == 36
    assert Instrument.objects.count() == len(recorded)


def _emitted(emission):
    return {"trades": emission.trades}
