"""Past trades beside a collector: what it lacks stays visible to it, whatever comes first."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.records import Opening, Source
from marketdata.domain.stream import InstrumentStream
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument
from marketdata.storage import DatabaseSink, read_candles, read_trades
from marketdata.storage.backfilling import store_past_trades
from marketdata.storage.tapes import scan_tape
from tests.marketdata.storage.builders import DAY, SPEC, batch, make_instrument, tape

pytestmark = pytest.mark.django_db

# Six trades a minute for twenty minutes, with the ids 1 to 120.
TAPE = tape(DAY, np.arange(120.0) + 100)


@pytest.fixture
def market():
    """A market whose collector went down in its third minute, after the trade 13."""
    market = make_instrument()
    collected(market)
    first = Opening(DAY, 100.0, 1, DAY)
    DatabaseSink(None, "okx", None).commit(
        batch(trades=TAPE[:13], openings=(first,), minutes=aggregate_minutes(TAPE[:12], SPEC))
    )
    return market


def collected(market, *, is_collected=True):
    Instrument.objects.filter(pk=market.pk).update(is_enabled=is_collected)


def load(market, rows, window=(14, 18)):
    bounds = tuple(DAY + minute * MINUTE_MS for minute in window)
    return store_past_trades(market, TAPE[rows], bounds, DAY + 20 * MINUTE_MS, lambda _cursor: None)


def marked():
    gaps = DataGap.objects.filter(cause="never_collected").order_by("first_trade_id")
    return [gap.ids for gap in gaps]


def goes_on(market):
    """What a collector that starts now makes of the last ten trades."""
    resume = DatabaseSink(None, "okx", None).resume("BTC-USDT")
    stream = InstrumentStream(SPEC, resume, DAY + 20 * MINUTE_MS)
    return stream.live(TAPE[110:120])


@pytest.mark.parametrize("window", [(14, 18), (18, 18)])
def test_trades_behind_a_collector_s_tape_are_its_own_and_its_outage_stays_a_hole(market, window):
    written, taken = load(market, slice(80, 110), window)
    assert (written.inserted, taken) == (0, 0)
    assert len(read_trades(market, DAY, DAY + DAY_MS)) == 13
    assert not DataGap.objects.exists()
    opened = goes_on(market).opened
    assert [(hole.first_id, hole.last_id) for hole in opened] == [(14, 110)]


def test_an_instrument_that_is_collected_only_after_its_past_was_loaded_has_no_false_flat_minute(
    market,
):
    collected(market, is_collected=False)
    load(market, slice(105, 110), (18, 18))
    assert marked() == [(14, 105)]
    collected(market)
    minutes = goes_on(market).minutes
    closed = minutes[(minutes["minutes"] == 1) & (minutes["source"] == Source.FLAT)]
    assert not len(closed)
    assert not minutes["minutes"][minutes["open_time_ms"] < DAY + 18 * MINUTE_MS].any()


def test_ids_that_were_not_asked_for_are_those_that_remain(market):
    collected(market, is_collected=False)
    for rows, expected in (
        (slice(80, 110), [(14, 80)]),
        (slice(60, 80), [(14, 60)]),
        (slice(30, 40), [(14, 30), (41, 60)]),
        (slice(13, 30), [(41, 60)]),
        (slice(40, 60), []),
    ):
        load(market, rows)
        assert marked() == expected
    scan_tape(market, [])
    assert not DataGap.objects.live().exists()


def test_trades_of_one_millisecond_on_both_sides_of_a_page_are_no_hole(market):
    collected(market, is_collected=False)
    together = TAPE.copy()
    together["time_ms"][40:60] = together["time_ms"][40]
    for rows in (slice(50, 70), slice(40, 50)):
        store_past_trades(market, together[rows], (DAY, DAY), DAY, lambda _cursor: None)
    assert marked() == [(14, 40)]


def test_what_a_gap_speaks_of_is_not_said_to_be_never_asked_for(market):
    """The collector runs again, with its outage an open gap, and the middle of it is loaded."""
    sink = DatabaseSink(None, "okx", None)
    sink.commit(batch(trades=TAPE[110:120], opened=goes_on(market).opened))
    assert load(market, slice(50, 60))[1] == 10
    assert not marked()
    assert DataGap.objects.live().get().ids == (14, 110)


def test_what_a_collector_lost_is_a_loss_also_beside_trades_that_were_loaded(market):
    DatabaseSink(None, "okx", None).commit(
        batch(trades=TAPE[30:60], minutes=aggregate_minutes(TAPE[30:54], SPEC))
    )
    load(market, slice(20, 25), (3, 4))
    assert not marked()
    scan_tape(market, [])
    assert sorted(gap.ids for gap in DataGap.objects.live()) == [(14, 20), (26, 30)]


def test_whole_minutes_of_the_past_are_built_up_to_the_collector_s_newest_candle(market):
    DatabaseSink(None, "okx", None).commit(
        batch(trades=TAPE[60:120], minutes=aggregate_minutes(TAPE[60:90], SPEC))
    )
    written, taken = load(market, slice(13, 60), (2, 19))
    assert (written.inserted, taken) == (8, 47)
    newest = read_candles(market, Timeframe.M1, DAY, DAY + DAY_MS)["open_time_ms"][-1]
    assert newest == DAY + 14 * MINUTE_MS
