"""Merged trades are found and split into their single matches, without touching anything else."""

from __future__ import annotations

import numpy as np
import pytest
from django.db.models.functions import Now

from marketdata.domain.timeframe import Timeframe
from marketdata.models import DataGap, GapState, Trade
from marketdata.repair.running import repair_gaps
from marketdata.repair.scan import scan_instrument
from marketdata.repair.telling import tell_gaps
from marketdata.storage import read_trades
from marketdata.storage.examining import integrity
from marketdata.storage.filling import fill_trades
from tcpdashboard.common.models import Alert
from tests.marketdata.repair.test_repairing import NEVER_MS, everything, store


def merged(tape, *spans):
    """Return the tape with each span [first, last] of its rows as one of all their matches."""
    rows, keep = tape.copy(), np.ones(len(tape), dtype=bool)
    for first, last in spans:
        rows[last]["size"], rows[last]["count"] = (
            tape["size"][first : last + 1].sum(),
            last - first + 1,
        )
        keep[first:last] = False
    return rows[keep]


def due():
    DataGap.objects.update(next_attempt_at=Now())


def test_merged_rows_become_single_matches_however_many_pages_they_cover(market, tape):
    store(market, tape)
    undisturbed, trades = everything(market), read_trades(market, 0, NEVER_MS)
    Trade.objects.filter(instrument=market).delete()
    # One of 210 matches lies across three pages of the exchange's history.
    fill_trades(market, merged(tape, (10, 12), (400, 401), (995, 1204), (1_500, 1_560)))

    findings = scan_instrument(market)
    (gap,) = findings.opened
    ids = tape["trade_id"]
    assert (gap.kind, gap.cause) == ("merged", "refused")
    assert gap.ids == (int(ids[10]), int(ids[1_560]))
    assert not repair_gaps("okx-sim"), "it waits until there are many"
    due()
    assert repair_gaps("okx-sim") == 1

    gap.refresh_from_db()
    assert (gap.state, gap.filled_with) == ("repaired", "trades")
    assert np.array_equal(read_trades(market, 0, NEVER_MS), trades)
    assert everything(market) == undisturbed
    assert not scan_instrument(market).opened


def test_what_comes_merged_later_lengthens_the_gap_that_waits(market, tape):
    store(market, merged(tape[:1_000], (10, 12)))
    (gap,) = scan_instrument(market).opened
    fill_trades(market, merged(tape[1_000:], (5, 9)))
    assert not scan_instrument(market).opened
    gap.refresh_from_db()
    assert gap.ids == (int(tape["trade_id"][10]), int(tape["trade_id"][1_009]))
    due()
    repair_gaps("okx-sim")
    assert set(Trade.objects.filter(instrument=market).values_list("count", flat=True)) == {1}


def test_a_hole_among_merged_rows_is_a_gap_of_its_own(market, tape):
    store(market, np.delete(merged(tape, (100, 110), (900, 910)), np.r_[500:520]))
    kinds = {gap.kind: gap for gap in scan_instrument(market).opened}
    assert set(kinds) == {"merged", "trades"}
    due()
    assert repair_gaps("okx-sim") >= 2
    assert np.array_equal(read_trades(market, 0, NEVER_MS), tape)


def test_merged_rows_lack_nothing_so_nobody_is_alarmed(market, tape, settings):
    settings.TRADES_KEPT_DAYS = 0
    store(market, merged(tape, (100, 110)))
    (gap,) = scan_instrument(market).opened
    due()
    repair_gaps("okx-sim")
    gap.refresh_from_db()
    assert gap.state == GapState.UNREPAIRABLE
    assert gap.reason == "older than the exchange keeps trades: they stay merged"
    tell_gaps()
    assert not Alert.objects.exists()
    assert not DataGap.objects.live().exists()
    found = integrity(market, Timeframe.M1, int(tape["time_ms"][0]), int(tape["time_ms"][-1]))
    assert found.gaps == ()
    assert not scan_instrument(market).opened, "it is known"


@pytest.mark.parametrize("tried", [8, 14])
def test_a_gap_that_was_given_up_is_tried_again_for_a_week(market, tape, tried):
    store(market, np.delete(tape, np.r_[700:1_150]))
    scan_instrument(market)
    gaps = DataGap.objects.filter(kind="trades")
    gaps.update(state="unrepairable", attempts=tried)
    assert repair_gaps("okx-sim") == 1
    gap = gaps.get()
    assert (gap.state, gap.filled_with) == ("repaired", "trades")


def test_after_that_week_it_is_left_to_people(market, tape):
    store(market, np.delete(tape, np.r_[700:1_150]))
    scan_instrument(market)
    gaps = DataGap.objects.filter(kind="trades")
    gaps.update(state="unrepairable", attempts=15)
    assert repair_gaps("okx-sim") == 0
    gaps.update(attempts=3)
    assert repair_gaps("okx-sim") == 0, "its verdict was final"
