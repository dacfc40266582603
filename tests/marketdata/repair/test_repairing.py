"""Gaps of trades are filled from the exchange's history, by one worker each, without doubles."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import numpy as np
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from marketdata.collector import paging
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.okx.constants import Endpoints
from marketdata.collector.okx.rest import OKXHistory
from marketdata.domain.records import Source, empty_trades
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
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
from marketdata.repair.telling import tell_gaps
from marketdata.storage import read_candles, read_trades
from marketdata.storage.filling import fill_trades, settle_trades
from tcpdashboard.common.models import Alert

NEVER_MS = 2**42


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


def gap_of(market, **values):
    defaults = {"kind": "candles", "start": from_ms(0), "end": from_ms(MINUTE_MS)}
    return DataGap.objects.create(instrument=market, cause="outage", **{**defaults, **values})


def test_trades_that_are_gone_are_replaced_by_the_candles_of_their_minutes(market, tape, settings):
    settings.TRADES_KEPT_DAYS = 0
    store(market, np.delete(tape, np.r_[700:1_150]))
    scan_instrument(market)
    assert repair_gaps("okx-sim") >= 1
    gap = DataGap.objects.get(kind="trades")
    assert (gap.state, gap.filled_with) == ("repaired", "candles")
    assert "exchange's candles" in gap.reason
    bounds = int(tape["time_ms"][700]), int(tape["time_ms"][1_149])
    filled = read_candles(market, Timeframe.M1, *bounds)
    assert set(filled["source"]) == {int(Source.EXCHANGE)}
    assert set(filled["minutes"]) == {1}
    assert not scan_instrument(market).opened, "what cannot be had is no news"


def test_a_gap_is_repaired_by_one_worker_and_a_dead_one_loses_it(market, settings):
    settings.REPAIR_LEASE_SECONDS = 600
    gap_of(market)
    first = claim_next("okx-sim")
    assert first is not None
    assert claim_next("okx-sim") is None
    assert renew(first)
    assert claim_next("okx-sim") is None
    DataGap.objects.update(lease_expires_at=Now() - timedelta(seconds=1))
    second = claim_next("okx-sim")
    assert second is not None
    assert not renew(first)
    assert not finish(first, GapState.REPAIRED)
    assert finish(second, GapState.REPAIRED)
    assert DataGap.objects.get().closed_at is not None


def test_no_more_gaps_are_held_than_may_be_repaired_at_once(market, settings):
    settings.REPAIRS_AT_ONCE = 1
    other = Instrument.objects.named("okx-sim", "BTC-USDT")
    gap_of(market)
    gap_of(other)
    claimed = []
    threads = [
        threading.Thread(target=lambda: claimed.append(in_thread(claim_next, "okx-sim")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claim for claim in claimed if claim]) == 1


def in_thread(function, *arguments):
    try:
        return function(*arguments)
    finally:
        connection.close()


def test_a_fresh_gap_is_left_to_its_collector_for_a_while(market):
    gap_of(market, next_attempt_at=Now() + timedelta(seconds=60))
    assert claim_next("okx-sim") is None
    DataGap.objects.update(next_attempt_at=F("opened_at"))
    assert claim_next("okx-sim") is not None


def test_what_the_exchange_does_not_have_is_unrepairable_with_a_reason_and_an_alert(
    market, settings
):
    settings.REPAIR_ATTEMPTS = 3
    before_ms = 1_400_000_000_000 // MINUTE_MS * MINUTE_MS
    Instrument.objects.filter(pk=market.pk).update(listed_at=None)
    gap = gap_of(market, start=from_ms(before_ms), end=from_ms(before_ms + 5 * MINUTE_MS))
    assert repair_gaps("okx-sim") == 3
    gap.refresh_from_db()
    assert gap.state == "unrepairable"
    assert gap.reason.startswith("the exchange has neither trades nor candles of 5 minutes")
    alert = Alert.objects.open().get(kind="gap_unrepairable")
    assert (alert.subject, alert.details["gaps"]) == (f"okx-sim:{market.symbol}", 1)
    DataGap.objects.update(state="repaired")
    tell_gaps()
    assert not Alert.objects.open().exists()


def test_a_gap_from_before_the_listing_is_unrepairable_at_once(market):
    day_before = market.listed_at - timedelta(days=1)
    gap = gap_of(market, start=day_before, end=day_before + timedelta(minutes=1))
    repair_gaps("okx-sim")
    gap.refresh_from_db()
    assert gap.state == "unrepairable"
    assert gap.reason.startswith("the listing began later")


def test_an_exchange_that_does_not_answer_costs_no_attempt(market, settings, monkeypatch):
    async def away(*_arguments):
        raise ExchangeUnavailable("HTTP 503")

    monkeypatch.setattr(OKXHistory, "_get", away)
    settings.REPAIR_RETRY_SECONDS = 60
    gap = gap_of(market)
    assert repair_gaps("okx-sim") == 1
    gap.refresh_from_db()
    assert (gap.state, gap.attempts) == ("open", 0)
    assert "does not answer" in gap.reason
    assert claim_next("okx-sim") is None, "it is tried again later"


def test_the_hole_of_a_first_start_over_old_imports_is_a_gap_and_is_filled(market, tape):
    """Imports end days before the first trade that was ever collected."""
    start_ms = int(tape["time_ms"][0]) // MINUTE_MS * MINUTE_MS
    old_ms = start_ms - 3 * 24 * 60 * MINUTE_MS
    first = gap_of(
        market,
        kind="trades",
        first_trade_id=0,
        last_trade_id=int(tape["trade_id"][0]) - 1,
        start=from_ms(old_ms),
        end=from_ms(int(tape["time_ms"][0])),
    )
    store(market, tape)
    assert repair_gaps("okx-sim") >= 1
    first.refresh_from_db()
    assert (first.state, first.filled_with) == ("repaired", "candles")
    stored = read_candles(market, Timeframe.M1, old_ms, start_ms)
    assert len(stored) == 3 * 24 * 60


def test_a_short_hole_of_unknown_beginning_learns_where_it_begins(market, tape):
    store(market, tape[600:])
    begin_ms = int(tape["time_ms"][300])
    gap = gap_of(
        market,
        kind="trades",
        first_trade_id=0,
        last_trade_id=int(tape["trade_id"][599]),
        start=from_ms(begin_ms),
        end=from_ms(int(tape["time_ms"][600])),
    )
    repair_gaps("okx-sim")
    gap.refresh_from_db()
    first = tape[np.searchsorted(tape["time_ms"], begin_ms)]
    assert (gap.state, gap.filled_with) == ("repaired", "trades")
    assert gap.first_trade_id == first["trade_id"]
    stored = read_trades(market, begin_ms, NEVER_MS)
    assert np.array_equal(stored["trade_id"], tape["trade_id"][tape["time_ms"] >= begin_ms])


def with_doubled_ids(served):
    """Return an exchange that leaves out every other id."""

    async def trades_before(self, symbol, before_id):
        page = (await served(self, symbol, -(-before_id // 2))).copy()
        page["trade_id"] *= 2
        return page

    return trades_before


def test_many_ids_in_a_row_that_do_not_exist_suspend_the_rule_until_ids_follow_again(
    market, tape, settings, monkeypatch
):
    settings.ID_RULE_HOLES, settings.REPAIR_RETRY_SECONDS = 2, 60
    # Every answer is one of a stale cache until it has come often enough.
    monkeypatch.setattr(paging, "PAUSES_S", (0.001, 0.01))
    monkeypatch.setattr(OKXHistory, "trades_before", with_doubled_ids(OKXHistory.trades_before))
    doubled = tape[:200].copy()
    doubled["trade_id"] *= 2
    fill_trades(market, doubled[:4])
    scan_instrument(market)
    first, *others = DataGap.objects.filter(kind="trades").order_by("first_trade_id")
    assert len(others) == 2
    for _ in range(3):
        attempt_only(first)
    market.refresh_from_db()
    assert (market.id_holes_unfound, market.id_rule_suspended_at) == (1, None), "each counts once"
    attempt_only(others[0])
    market.refresh_from_db()
    assert market.id_rule_suspended_at is not None
    assert Alert.objects.open().get(kind="id_rule_suspended").subject == str(market)
    assert not market.spec.has_id_rule
    fill_trades(market, doubled[4:])
    assert not scan_instrument(market).opened

    Instrument.objects.update(id_rule_suspended_at=from_ms(int(tape["time_ms"][0])))
    market.refresh_from_db()
    fill_trades(market, tape[200:1_100])
    scan_instrument(market)
    assert not market.spec.has_id_rule, "fewer than a thousand prove nothing"
    fill_trades(market, tape[1_100:])
    scan_instrument(market)
    market.refresh_from_db()
    assert market.spec.has_id_rule
    assert not Alert.objects.open().filter(kind="id_rule_suspended").exists()


def attempt_only(gap):
    """Let one gap be tried, and no other."""
    DataGap.objects.update(next_attempt_at=Now() + timedelta(days=1))
    DataGap.objects.filter(pk=gap.pk).update(next_attempt_at=Now())
    assert repair_gaps("okx-sim") == 1


def test_locked_minutes_are_left_alone_and_the_gap_says_so(market, tape, settings):
    settings.REPAIR_ATTEMPTS = 1
    start_ms = int(tape["time_ms"][0]) // MINUTE_MS * MINUTE_MS - 60 * MINUTE_MS
    bounds = {"start": from_ms(start_ms), "end": from_ms(start_ms + 5 * MINUTE_MS)}
    RangeLock.objects.create(instrument=market, reason="by hand", **bounds)
    gap = gap_of(market, **bounds)
    repair_gaps("okx-sim")
    gap.refresh_from_db()
    assert (gap.state, gap.reason[:23]) == ("unrepairable", "a person has locked the")
    assert not len(read_candles(market, Timeframe.M1, 0, NEVER_MS))


async def broken(*_arguments):
    raise ValueError("a page that nobody foresaw")


def test_a_gap_that_nobody_can_repair_keeps_no_worker_from_the_others(
    market, settings, monkeypatch
):
    settings.REPAIR_RETRY_SECONDS, settings.REPAIR_ATTEMPTS = 60, 2
    monkeypatch.setattr(OKXHistory, "candles_before", broken)
    day_before = market.listed_at - timedelta(days=1)
    poisoned = gap_of(market, start=market.listed_at, end=market.listed_at + timedelta(minutes=1))
    other = gap_of(market, start=day_before, end=day_before + timedelta(minutes=1))
    assert repair_gaps("okx-sim") == 2
    poisoned.refresh_from_db()
    assert (poisoned.state, poisoned.attempts) == ("open", 1)
    assert poisoned.reason == "ValueError: a page that nobody foresaw"
    assert claim_next("okx-sim") is None, "it is tried again later"
    other.refresh_from_db()
    assert other.state == "unrepairable"
    DataGap.objects.filter(pk=poisoned.pk).update(next_attempt_at=Now())
    assert repair_gaps("okx-sim") == 1
    poisoned.refresh_from_db()
    assert poisoned.state == "unrepairable"


def test_a_database_that_ends_the_session_costs_a_gap_no_attempt(market, settings, monkeypatch):
    settings.REPAIR_RETRY_SECONDS = 60

    async def ended(*_arguments):
        raise OperationalError("the connection was closed")

    monkeypatch.setattr(OKXHistory, "candles_before", ended)
    gap = gap_of(market, start=market.listed_at, end=market.listed_at + timedelta(minutes=1))
    assert repair_gaps("okx-sim") == 1
    gap.refresh_from_db()
    assert (gap.state, gap.attempts) == ("open", 0)
    assert "database does not answer" in gap.reason


async def nothing(*_arguments):
    """Answer as a cache that is behind does: there are no such trades."""
    return empty_trades()


def test_a_bad_moment_of_the_exchange_s_caches_leaves_the_gap_open_behind_its_candles(
    market, tape, settings, monkeypatch
):
    store(market, np.delete(tape, np.r_[700:1_150]))
    scan_instrument(market)
    bounds = int(tape["time_ms"][700]), int(tape["time_ms"][1_149])
    served = OKXHistory.trades_before
    monkeypatch.setattr(OKXHistory, "trades_before", nothing)
    settings.REPAIR_RETRY_SECONDS = 60
    assert repair_gaps("okx-sim") >= 1
    gap = DataGap.objects.get(kind="trades")
    assert (gap.state, gap.attempts, gap.filled_with) == ("open", 1, "")
    assert "asked for again" in gap.reason
    bridged = read_candles(market, Timeframe.M1, *bounds)
    assert set(bridged["minutes"]) == {1}
    assert set(bridged["source"]) == {int(Source.EXCHANGE)}
    market.refresh_from_db()
    assert market.id_holes_unfound == 0

    monkeypatch.setattr(OKXHistory, "trades_before", served)
    DataGap.objects.update(next_attempt_at=Now())
    assert repair_gaps("okx-sim") >= 1
    gap.refresh_from_db()
    assert (gap.state, gap.filled_with) == ("repaired", "trades")
    assert set(read_candles(market, Timeframe.M1, *bounds)["source"]) == {int(Source.TRADES)}


def test_candles_are_accepted_for_trades_that_do_not_come_in_an_hour_of_attempts(
    market, tape, settings, monkeypatch
):
    settings.REPAIR_ATTEMPTS, settings.REPAIR_RETRY_SECONDS = 3, 60
    store(market, np.delete(tape, np.r_[700:1_150]))
    scan_instrument(market)
    monkeypatch.setattr(OKXHistory, "trades_before", nothing)
    of_trades = DataGap.objects.filter(kind="trades")
    for attempts in range(1, 6):
        of_trades.update(next_attempt_at=Now())
        repair_gaps("okx-sim")
        gap = of_trades.get()
        assert (gap.state, gap.attempts) == ("open", attempts)
    of_trades.update(next_attempt_at=Now(), first_tried_at=Now() - timedelta(minutes=61))
    repair_gaps("okx-sim")
    gap.refresh_from_db()
    assert (gap.state, gap.filled_with) == ("repaired", "candles")
    market.refresh_from_db()
    assert market.id_holes_unfound == 0, "answers without any trade prove nothing of ids"
    assert not scan_instrument(market).opened


def test_of_a_gap_that_begins_before_trades_are_kept_the_later_part_is_fetched(
    market, tape, exchange, settings
):
    store(market, np.delete(tape, np.r_[700:1_150]))
    scan_instrument(market)

    async def now_ms():
        async with OKXHistory(Endpoints(exchange.rest, "", "")) as history:
            return await history.server_time_ms()

    middle_ms = int(tape["time_ms"][900])
    settings.TRADES_KEPT_DAYS = (asyncio.run(now_ms()) - middle_ms) / DAY_MS
    assert repair_gaps("okx-sim") >= 1
    gap = DataGap.objects.get(kind="trades")
    assert (gap.state, gap.filled_with) == ("repaired", "trades")
    assert len(read_trades(market, 0, NEVER_MS)) == len(tape)
