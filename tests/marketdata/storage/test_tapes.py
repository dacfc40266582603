"""What of a gap's ids is missing: read in blocks, and once, however large the gap is."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import connection

from marketdata.models import DataGap, Trade, from_ms
from marketdata.repair.scan import scan_instrument
from marketdata.storage import tapes
from marketdata.storage.filling import fill_trades
from marketdata.storage.tapes import missing_of, note_rest
from tests.marketdata.storage.builders import DAY, make_instrument, tape

pytestmark = pytest.mark.django_db

# Ids 1 to 400, of which 51 to 350 are missing.
TAPE = tape(DAY, np.full(400, 100.0))


@pytest.fixture
def market():
    market = make_instrument()
    fill_trades(market, np.delete(TAPE, np.r_[50:350]))
    return market


@pytest.fixture
def gap(market):
    start, end = from_ms(int(TAPE["time_ms"][49])), from_ms(int(TAPE["time_ms"][350]))
    return DataGap.objects.create(
        instrument=market,
        kind="trades",
        first_trade_id=51,
        last_trade_id=350,
        start=start,
        end=end,
        cause="loss",
    )


def missing(gap):
    with connection.cursor() as cursor:
        return missing_of(cursor, gap)


def remember(gap):
    found = missing(gap)
    with connection.cursor() as cursor:
        note_rest(cursor, gap, found)
    gap.refresh_from_db()


def test_missing_ids_are_found_over_any_number_of_blocks(market, gap, monkeypatch):
    monkeypatch.setattr(tapes, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(
        tapes, "_IN_BLOCKS", tapes.sql.SQL("order by executed_at, trade_id limit 7")
    )
    together = TAPE.copy()
    together["time_ms"][200:205] = together["time_ms"][200]
    fill_trades(market, together[np.r_[100:120, 199:206, 340:350]])
    assert missing(gap) == [(51, 101), (121, 200), (207, 341)]


def test_what_a_repair_stored_from_the_newest_back_is_not_looked_at_again(market, gap):
    assert missing(gap) == [(51, 351)]
    remember(gap)
    assert gap.rest_last_id is None, "nothing is stored of it yet"
    fill_trades(market, TAPE[250:350])
    remember(gap)
    assert (gap.rest_last_id, gap.rest_end) == (250, from_ms(int(TAPE["time_ms"][250])))
    assert missing(gap) == [(51, 251)]
    fill_trades(market, TAPE[np.r_[60:70, 150:250]])
    assert missing(gap) == [(51, 61), (71, 151)]
    remember(gap)
    fill_trades(market, TAPE[np.r_[50:60, 70:150]])
    assert missing(gap) == []
    assert gap.rest_last_id == 150


def test_an_unrepairable_gap_is_closed_when_the_last_of_its_ids_comes(market, gap):
    DataGap.objects.update(state="unrepairable")
    for rows in (slice(50, 200), slice(300, 350)):
        fill_trades(market, TAPE[rows])
        scan_instrument(market)
        assert DataGap.objects.get(kind="trades").state == "unrepairable"
    fill_trades(market, TAPE[200:300])
    scan_instrument(market)
    gap = DataGap.objects.get(kind="trades")
    assert (gap.state, gap.filled_with) == ("repaired", "trades")


def test_the_same_ids_missing_again_are_looked_for_in_all_of_the_gap(market, gap):
    fill_trades(market, TAPE[250:350])
    remember(gap)
    DataGap.objects.update(state="repaired")
    Trade.objects.filter(trade_id__range=(51, 350)).delete()
    scan_instrument(market)
    gap.refresh_from_db()
    assert gap.state == "open"
    assert (gap.rest_last_id, gap.rest_end) == (None, None)
