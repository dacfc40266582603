"""The holes of a real download, punched into OKX's own candles, are found exactly and repaired."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from marketdata.domain.quality import missing_minutes
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import CandleRevision, DataGap, to_ms
from marketdata.repair.running import repair_gaps
from marketdata.repair.scan import scan_instrument
from marketdata.storage import range_fingerprint, read_candles, write_candles
from tests.marketdata.domain.recordings import okx_candles
from tests.marketdata.storage.builders import make_instrument
from tests.simulated_exchange import spawned_exchange

SOUND = 43_197
"""So many minutes of the recording come first, without a hole."""


@pytest.fixture(scope="module")
def recording(shared_data):
    return okx_candles(shared_data, "1m")


@pytest.fixture(scope="module")
def holes(recording):
    """The holes of the recording's later part, moved into the first one."""
    end_ms = int(recording["open_time_ms"][-1]) + MINUTE_MS
    found = missing_minutes(recording, int(recording["open_time_ms"][0]), end_ms)
    shift = found[0][0] - int(recording["open_time_ms"][5_000])
    assert len(found) == 93
    return [(start - shift, end - shift) for start, end in found]


@pytest.fixture
def exchange(recording, tmp_path, settings):
    columns = ("open_time_ms", "open", "high", "low", "close", "volume")
    rows = [list(row) for row in recording[list(columns)][:SOUND].tolist()]
    file = tmp_path / "candles.json.gz"
    with gzip.open(file, "wt") as stream:
        json.dump(rows, stream)
    options = ("--candles", str(file), "--symbol", "BTC-USDT")
    with spawned_exchange(tmp_path, *options) as exchange:
        settings.EXCHANGE, settings.OKX_REST_URL = "okx-sim", exchange.rest
        settings.REPAIR_PAUSE_SECONDS, settings.OKX_LIMITS = 0, False
        yield exchange


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_scan_finds_exactly_the_holes_and_the_repair_fills_them(recording, holes, exchange):
    sound = recording[:SOUND]
    start_ms, end_ms = int(sound["open_time_ms"][0]), int(sound["open_time_ms"][-1]) + MINUTE_MS
    whole = make_instrument("BTC-USDT", "undisturbed")
    write_candles(whole, sound, reason="test")
    market = make_instrument("BTC-USDT", "okx-sim")
    is_left = np.ones(len(sound), dtype=bool)
    for start, end in holes:
        is_left &= (sound["open_time_ms"] < start) | (sound["open_time_ms"] >= end)
    write_candles(market, sound[is_left], reason="test")

    scan_instrument(market)
    gaps = DataGap.objects.filter(timeframe=1).order_by("start")
    assert [(to_ms(gap.start), to_ms(gap.end)) for gap in gaps] == holes
    assert {gap.cause for gap in gaps} == {"never_collected"}
    assert not scan_instrument(market).opened
    assert DataGap.objects.count() == 93

    assert repair_gaps("okx-sim") == 93
    assert {gap.state for gap in DataGap.objects.all()} == {"repaired"}
    for timeframe in Timeframe:
        assert np.array_equal(
            read_candles(market, timeframe, start_ms, end_ms)[["open_time_ms", "close", "volume"]],
            read_candles(whole, timeframe, start_ms, end_ms)[["open_time_ms", "close", "volume"]],
        )
        bounds = start_ms - DAY_MS, end_ms + DAY_MS
        assert range_fingerprint(market, timeframe, *bounds) == range_fingerprint(
            whole, timeframe, *bounds
        )
    inserted = CandleRevision.objects.filter(timeframe=1)
    assert inserted.count() == sum(end - start for start, end in holes) // MINUTE_MS
    assert set(inserted.values_list("reason", "open").distinct()) == {("gap repaired", None)}
    findings = scan_instrument(market)
    assert not findings.opened
    assert not findings.closed
