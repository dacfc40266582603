"""Every page of the admin answers, also over many rows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse

from marketdata.domain.events import Hole, HoleCause
from marketdata.models import (
    Archive,
    Candle,
    CandleConflict,
    CandleRow,
    Collector,
    DataGap,
    ExchangeCredential,
    Instrument,
    RangeLock,
    RawRow,
    RefusedBatch,
    RetentionPolicy,
    RevisionRow,
    TradeRow,
    from_ms,
)
from marketdata.storage import DatabaseSink, write_candles
from tests.marketdata.storage.builders import DAY, batch, make_instrument, minutes, tape

pytestmark = pytest.mark.django_db

MODELS = [
    Instrument,
    Collector,
    DataGap,
    RangeLock,
    RefusedBatch,
    CandleConflict,
    CandleRow,
    TradeRow,
    RevisionRow,
]
# By test_admin_raw.py.
TESTED_ELSEWHERE = [Archive, ExchangeCredential, RawRow, RetentionPolicy]


@pytest.fixture
def page(client):
    user = get_user_model().objects.create_superuser("root", password="x")
    client.force_login(user)
    return client


@pytest.fixture
def market():
    instrument = make_instrument()
    candles = minutes(DAY, np.linspace(100, 200, 15_000).round(1))
    write_candles(instrument, candles, reason="history")
    candles["volume"][:5] += 1
    candles["trade_count"][:5] = 3
    write_candles(instrument, candles, reason="correction")
    hole = Hole(5, 9, DAY, DAY + 1, HoleCause.LOSS)
    trades = tape(DAY, [100.0, 101.0])
    DatabaseSink(None, "okx", None).commit(batch(trades=trades, opened=(hole,)))
    Collector.objects.create(name="okx", exchange="okx")
    RangeLock.objects.create(instrument=instrument, start=from_ms(0), end=from_ms(60_000))
    theirs = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0)
    CandleConflict.objects.create(
        instrument=instrument,
        open_time=from_ms(DAY),
        kind="exchange",
        **{f"their_{name}": value for name, value in theirs.items()},
    )
    RefusedBatch.objects.create(instrument=instrument, error="no", payload={"trades": []})
    return instrument


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_all_of_market_data_is_registered():
    ours = {model for model in admin.site._registry if model._meta.app_label == "marketdata"}

    assert ours == {*MODELS, *TESTED_ELSEWHERE}


@pytest.mark.parametrize("model", MODELS)
def test_a_list_and_the_page_of_a_row_answer(page, market, model):
    listing = page.get(url(model))
    row = model.objects.first()
    detail = page.get(url(model, "change", row.pk))

    assert (listing.status_code, detail.status_code) == (200, 200)
    assert str(row.pk) in listing.text
    assert 'name="_save"' not in detail.text or model in (Instrument, Collector, DataGap)


def test_times_are_written_as_on_all_other_pages_and_the_house_has_its_name(page, market):
    listing = page.get(url(CandleRow), {"timeframe__exact": 1440}).text

    assert "2024-01-02 00:00:00" in listing
    assert "midnight" not in listing
    assert "TCPDashboard administration" in listing
    assert "Refused batches" in page.get(reverse("admin:index")).text


def test_the_count_of_a_long_list_stops_at_ten_thousand(page, market):
    response = page.get(url(CandleRow))

    assert Candle.objects.count() > 10_001
    assert re.search(r"10001 candles", response.text)
    assert page.get(url(CandleRow), {"p": 100}).status_code == 200


def test_a_day_can_be_searched_and_nonsense_is_explained(page, market):
    assert (
        "1440 candles" in page.get(url(CandleRow), {"q": "2024-01-02", "timeframe__exact": 1}).text
    )
    assert "Expected a day such as" in page.get(url(CandleRow), {"q": "yesterday"}).text


@pytest.mark.parametrize("key", ["1-2", "x-y-z", "1-1-99999999999999999999", "0-1-0"])
def test_a_key_that_names_no_row_leads_back(page, market, key):
    assert page.get(url(CandleRow, "change", key)).status_code == 302


def test_recorded_rows_can_be_neither_added_nor_deleted(page, market):
    row = CandleRow.objects.first()

    assert page.get(url(CandleRow, "add")).status_code == 403
    assert page.post(url(CandleRow, "delete", row.pk)).status_code == 403


@pytest.mark.parametrize(
    ("action", "desired"), [("stop", "stopped"), ("start", "running"), ("restart", "running")]
)
def test_collectors_are_asked_to_start_stop_and_restart(page, market, action, desired):
    collector = Collector.objects.get()

    response = page.post(
        url(Collector), {"action": action, "_selected_action": [collector.pk]}, follow=True
    )

    assert f"asked to {action}" in response.text
    collector.refresh_from_db()
    assert collector.desired == desired
    assert (collector.restart_requested_at is not None) == (action == "restart")


def test_instruments_are_enabled_and_disabled(page, market):
    for action, is_enabled in (("enable", True), ("disable", False)):
        page.post(url(Instrument), {"action": action, "_selected_action": [market.pk]})

        market.refresh_from_db()
        assert market.is_enabled is is_enabled


def test_an_action_that_is_refused_is_told_and_does_not_stop_the_others(page, market):
    other = Collector.objects.create(name="another", exchange="okx-sim")
    chosen = [other.pk, Collector.objects.get(name="okx").pk]

    response = page.post(
        url(Collector), {"action": "start", "_selected_action": chosen}, follow=True
    )

    assert "okx-sim is not collected here" in response.text
    assert "1 collectors were asked to start" in response.text


def test_a_gap_that_was_unrepairable_is_tried_again(page, market):
    gap = DataGap.objects.get()
    DataGap.objects.update(state="unrepairable", attempts=8)
    for _ in range(2):
        told = page.post(
            url(DataGap), {"action": "try_again", "_selected_action": [gap.pk]}, follow=True
        )
        gap.refresh_from_db()
        assert (gap.state, gap.attempts) == ("open", 0)
    DataGap.objects.update(state="repaired")
    told = page.post(
        url(DataGap), {"action": "try_again", "_selected_action": [gap.pk]}, follow=True
    )
    assert "nothing is to do" in told.text


def test_a_lock_says_who_made_it(page, market):
    form = {"instrument": market.pk, "reason": "checked by hand"}
    form |= {"start_0": "2024-01-01", "start_1": "00:00", "end_0": "2024-01-02", "end_1": "00:00"}
    assert page.post(url(RangeLock, "add"), form).status_code == 302
    assert RangeLock.objects.get(reason="checked by hand").made_by.username == "root"


def test_the_id_rule_is_resumed_by_a_person(page, market):
    chosen = {"action": "resume_id_rule", "_selected_action": [market.pk]}
    assert "is not suspended" in page.post(url(Instrument), chosen, follow=True).text
    Instrument.objects.update(id_rule_suspended_at=from_ms(DAY), id_holes_unfound=20)
    page.post(url(Instrument), chosen, follow=True)
    market.refresh_from_db()
    assert (market.id_rule_suspended_at, market.id_holes_unfound) == (None, 0)
