"""A gap inside an announced maintenance says so."""

from __future__ import annotations

import json

import pytest

from marketdata.domain.events import Hole, HoleCause
from marketdata.domain.raw import RawChannel, RawMessage
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import DataGap, Opening, from_ms
from marketdata.repair.scan import scan_instrument
from marketdata.storage import DatabaseSink, write_candles
from marketdata.storage.filling import fill_trades
from marketdata.storage.maintenance import in_maintenance
from marketdata.storage.raw import RawWriter
from tests.marketdata.partitions import drop_partitions
from tests.marketdata.storage.builders import DAY, batch, make_instrument, minutes, tape

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 60 * MINUTE_MS


@pytest.fixture(autouse=True)
def _no_partitions_left():
    yield
    drop_partitions()


def announce(state, begin_ms, end_ms, *, at=DAY - HOUR, **more):
    """Store a status message of the exchange."""
    said = {"title": "upgrade", "state": state, "begin": str(begin_ms), "end": str(end_ms)} | more
    payload = json.dumps(said).encode()
    RawWriter("okx").write([RawMessage(RawChannel.STATUS, None, at, at, payload)])


def test_only_what_was_announced_and_not_canceled_counts():
    announce("scheduled", DAY + HOUR, DAY + 2 * HOUR)
    assert in_maintenance("okx", DAY + HOUR, DAY + HOUR + MINUTE_MS)
    assert not in_maintenance("okx", DAY, DAY + HOUR)
    assert not in_maintenance("okx", DAY + 2 * HOUR, DAY + 3 * HOUR)
    assert not in_maintenance("okx-sim", DAY + HOUR, DAY + 2 * HOUR)
    announce("canceled", DAY + HOUR, DAY + 2 * HOUR, at=DAY - MINUTE_MS)
    assert not in_maintenance("okx", DAY + HOUR, DAY + 2 * HOUR)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"env": "1", "serviceType": "0"}, True),
        ({"env": "1", "serviceType": "5"}, True),
        ({"env": "2", "serviceType": "0"}, False),
        ({"env": "1", "serviceType": "7"}, False),
    ],
)
def test_maintenance_of_the_demo_or_of_other_services_is_none_of_the_datas(said, counts):
    announce("scheduled", DAY, DAY + HOUR, **said)
    assert in_maintenance("okx", DAY, DAY + HOUR) is counts


def test_holes_of_trades_and_of_candles_inside_it_are_called_maintenance():
    market = make_instrument()
    Opening.objects.create(
        instrument=market, open_time=from_ms(DAY), executed_at=from_ms(DAY), price=1, trade_id=1
    )
    write_candles(market, minutes(DAY, [5.0] * 60), reason="test")
    write_candles(market, minutes(DAY + 2 * HOUR, [5.0] * 60), reason="test")
    announce("ongoing", DAY + HOUR, DAY + 2 * HOUR)
    scan_instrument(market)
    assert DataGap.objects.get(timeframe=1).cause == "maintenance"
    outage = Hole(5, 9, DAY + HOUR, DAY + HOUR + MINUTE_MS, HoleCause.OUTAGE)
    loss = Hole(15, 19, DAY + HOUR, DAY + HOUR + MINUTE_MS, HoleCause.LOSS)
    DatabaseSink(None, "okx", None).commit(batch(opened=(outage, loss)))
    causes = DataGap.objects.filter(kind="trades").order_by("first_trade_id")
    assert [gap.cause for gap in causes] == ["maintenance", "loss"]


def test_missing_ids_that_the_scan_finds_inside_it_are_called_maintenance():
    market = make_instrument()
    announce("ongoing", DAY + HOUR, DAY + 2 * HOUR)
    for first_id, start_ms in ((1, DAY + HOUR), (5, DAY + HOUR + MINUTE_MS), (9, DAY + 3 * HOUR)):
        fill_trades(market, tape(start_ms, [5.0], first_id=first_id))
    fill_trades(market, tape(DAY + 4 * HOUR, [5.0], first_id=12))
    scan_instrument(market)
    gaps = DataGap.objects.filter(kind="trades").order_by("first_trade_id")
    assert [(*gap.ids, gap.cause) for gap in gaps] == [
        (2, 4, "maintenance"),
        (6, 8, "maintenance"),
        (10, 11, "loss"),
    ]
