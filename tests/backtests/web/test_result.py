"""The page of one backtest: figures, curves, trades, fills, and what a lost file leaves."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from backtests.charts.numbers import percent
from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import request_backtest
from backtests.storage import results
from marketdata.domain.timeframe import DAY_MS
from marketdata.storage import write_candles
from tcpdashboard.common.jobs.orders import cancel_job
from tests.backtests.conftest import ASKED, DAYS, wave
from tests.backtests.web.conftest import finished
from tests.marketdata.api.conftest import START_MS

START, END = ASKED["start_ms"], ASKED["end_ms"]


def page(client, backtest, query=""):
    answer = client.get(f"/backtests/{backtest.pk}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def run(done):
    return results.read_run(done)


def test_a_waiting_one_says_so_and_names_its_topic(btc, ann, trader):
    backtest = request_backtest(BacktestRequest(**ASKED), ann)
    html = page(trader, backtest)
    assert f'data-topic="job:{ann.pk}:{backtest.job_id}"' in html
    assert "Waiting" in html
    assert "Cancel" in html
    assert trader.post(f"/backtests/{backtest.pk}/cancel").status_code == 302
    assert "It was cancelled" in page(trader, backtest)


def test_a_failed_one_says_why(btc, ann, trader):
    backtest = request_backtest(BacktestRequest(**ASKED), ann)
    cancel_job(backtest.job)
    Backtest.objects.filter(pk=backtest.pk).update(job=None, error="WrongTargets: <no>")
    html = page(trader, backtest)
    assert "It failed" in html
    assert "WrongTargets: &lt;no&gt;" in html


def test_figures_stand_with_their_formulas(done, trader):
    html = page(trader, done)
    gained = percent(done.metrics["total_return"], signed=True)
    assert f'data-metric="total_return">{gained}<' in html
    assert f'data-metric="round_trips">{done.metrics["round_trips"]:.0f}<' in html
    assert "Mean / deviation (ddof 1) of daily returns x sqrt(365)" in html
    assert 'data-metric="sharpe">\N{EN DASH}<' in html


def test_the_figures_of_other_programs_stand_beside(done, trader):
    html = page(trader, done)
    for program in ("vectorbt", "backtesting.py", "freqtrade"):
        assert f'<th scope="col" class="num">{program}</th>' in html


def test_badges_tell_of_proofs_and_data(done, trader):
    html = page(trader, done)
    assert 'class="badge-line good" data-badge="proof"' in html
    assert 'class="badge-line good" data-badge="integrity">100% of 2,520 minutes' in html
    failing = {"proof": "failed", "badges": ["strategy fails its look-ahead proof: candle 7"]}
    Backtest.objects.filter(pk=done.pk).update(**failing)
    html = page(trader, done)
    assert 'class="badge-line bad" data-badge="proof"' in html
    assert html.count("fails its look-ahead proof: candle 7") == 1


def test_everything_that_was_asked_for_is_told(btc, ann, trader):
    html = page(trader, finished(ann, trading={"stop_loss": "0.025", "size": "0.5"}))
    for name, value in (("Fast period", "3"), ("Stop-loss, %", "2.5"), ("Size", "50")):
        assert f'<dt>{name}</dt><dd class="num">{value}</dd>' in html
    assert "<dt>Take-profit, %</dt>" not in html


def test_the_curve_comes_finer_for_a_part_and_keeps_its_extremes(done, run, trader):
    part = {"start": START + DAY_MS, "end": START + DAY_MS + 3_600_000, "points": 100}
    shown = trader.get(f"/backtests/{done.pk}/equity", part).json()
    assert len(shown["time"]) == 63
    assert np.diff(shown["time"]).tolist() == [60_000] * 62
    whole = trader.get(
        f"/backtests/{done.pk}/equity", {"start": START, "end": END, "points": 100}
    ).json()
    cash = float(run.units.cash)
    assert len(whole["time"]) <= 100
    assert max(whole["equity"]) == pytest.approx(run.equity.max() * cash)
    assert min(whole["equity"]) == pytest.approx(run.equity.min() * cash)
    assert min(whole["drawdown"]) == pytest.approx(-done.metrics["max_drawdown"], rel=1e-6)
    held = whole["hold"][-1] / 10_000 - 1
    assert held == pytest.approx(done.metrics["buy_and_hold"])


def test_round_trips_are_narrowed_sorted_and_turned(done, run, trader):
    url = f"/backtests/{done.pk}/trades"
    profits = run.trips["profit"][run.trips["is_closed"]]
    assert len(run.trips) > 10
    won = int((profits > 0).sum())
    html = trader.get(url, {"outcome": "won", "sort": "-profit"}).content.decode()
    assert f"{won:,} of {len(run.trips):,}" in html
    assert html.count("data-entry=") == min(won, 50)
    best = int(np.argmax(run.trips["profit"])) + 1
    assert html.index(f'data-trade="{best}"') < html.index("data-trade=") + 200
    assert trader.get(url, {"side": "short"}).content.decode().count("data-entry=") == 0
    nonsense = {"sort": "drop", "side": "up", "outcome": "?", "page": "9" * 30}
    assert trader.get(url, nonsense).content.decode().count("data-entry=") == len(run.trips)


def test_round_trips_are_exported_as_they_are_narrowed(done, run, trader):
    url = f"/backtests/{done.pk}/export"
    answer = trader.get(url, {"format": "csv", "sort": "-profit"})
    assert answer["Content-Disposition"].endswith(f'"backtest-{done.pk}-trades.csv"')
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == len(run.trips)
    told = trader.get(url, {"format": "json", "outcome": "lost"}).json()
    assert len(told) == int((run.trips["profit"] < 0).sum())
    assert all(row["profit"] < 0 and row["is_closed"] for row in told)
    assert trader.get(url, {"format": "xml"}).status_code == 400


def test_a_round_trip_that_is_open_has_not_ended_by_anything(btc, ann, trader):
    held = finished(ann, strategy="buy_and_hold", parameters={})
    (row,) = trader.get(f"/backtests/{held.pk}/export", {"format": "json"}).json()
    assert (row["is_closed"], row["reason"]) == (False, "")
    html = trader.get(f"/backtests/{held.pk}/trades").content.decode()
    assert html.count("data-entry=") == 1
    assert ">Target<" not in html
    html = trader.get(f"/backtests/{held.pk}/trades", {"reason": "target"}).content.decode()
    assert html.count("data-entry=") == 0


def test_months_and_distribution_add_up(done, run, trader):
    html = page(trader, done)
    assert '<th scope="row">2025</th>' in html
    counts = [int(text) for text in re.findall(r"<title>(\d+) from", html)]
    assert len(counts) > 5
    assert sum(counts) == int(run.trips["is_closed"].sum())
    assert "No round trip was closed" not in html


def test_the_price_chart_shows_what_the_strategy_saw(done, trader):
    url = f"/backtests/{done.pk}/chart/window"
    told = trader.get(url, {"start": START, "end": START + 3 * 3_600_000}).json()
    columns, window = told["window"]["columns"], told["window"]
    assert (window["timeframe"], window["step_ms"], told["note"]) == ("5m", 300_000, "")
    assert len(columns["time"]) == 36
    assert None not in columns["strategy.fast"] + columns["strategy.slow"]
    names = {trace["name"] for trace in told["figure"]["data"]}
    assert {"fast", "slow", "Volume"} <= names
    coarse = trader.get(url, {"start": START, "end": END, "points": 60}).json()["window"]
    assert coarse["timeframe"] == "1h"
    # An hour's last value is that of its last five minutes.
    at = coarse["columns"]["time"].index(columns["time"][0])
    assert coarse["columns"]["strategy.fast"][at] == columns["strategy.fast"][11]


def test_another_version_of_the_code_is_told(done, trader):
    Backtest.objects.filter(pk=done.pk).update(source_hash="other")
    asked = {"start": START, "end": START + 3_600_000}
    told = trader.get(f"/backtests/{done.pk}/chart/window", asked).json()
    assert "code has changed since" in told["note"]


@pytest.mark.parametrize("minute", [-56, 604], ids=["of the warm-up", "of the range"])
def test_candles_that_were_revised_since_are_told(btc, done, trader, minute):
    asked = {"start": START, "end": START + 3_600_000}
    url = f"/backtests/{done.pk}/chart/window"
    before = trader.get(url, asked).json()
    assert before["note"] == ""
    at = (START - START_MS) // 60_000 + minute
    changed = wave()[at : at + 1]
    changed["high"] += 100
    changed["close"] += 100
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    after = trader.get(url, asked).json()
    assert after["note"].startswith("Candles were revised since: ")
    fast = "strategy.fast"
    is_same = before["window"]["columns"][fast] == after["window"]["columns"][fast]
    assert is_same is (minute > 0)


def test_code_and_candles_that_both_changed_are_both_told(btc, done, trader):
    Backtest.objects.filter(pk=done.pk).update(source_hash="other", fingerprint="0" * 64)
    asked = {"start": START, "end": START + 3_600_000}
    note = trader.get(f"/backtests/{done.pk}/chart/window", asked).json()["note"]
    assert "code has changed since" in note
    assert "Candles were revised since" in note


def test_candles_after_the_end_say_nothing(btc, done, trader):
    late = wave(DAYS * 1440 + 60)[-60:]
    write_candles(btc, late, reason="test")
    asked = {"start": START, "end": START + 3_600_000}
    assert trader.get(f"/backtests/{done.pk}/chart/window", asked).json()["note"] == ""


def test_fills_are_a_layer_of_a_chart(done, run, trader):
    fills = run.fills
    listed = trader.get("/backtests/layers/", {"exchange": "okx-sim", "symbol": "BTC-USDT"}).json()
    assert [layer["key"] for layer in listed["layers"]] == [f"backtest:{done.pk}"]
    told = trader.get(f"/backtests/layers/{done.pk}/", {"start": START, "end": END}).json()
    assert told["marks"]["time"] == fills["time_ms"].tolist()
    assert told["marks"]["side"] == ["buy" if lots > 0 else "sell" for lots in fills["lots"]]
    prices = (fills["tick"] * float(run.units.tick)).tolist()
    assert told["marks"]["price"] == pytest.approx(prices)
    assert "target" in told["marks"]["text"][0]
    ends = [line["time"].count(None) for line in told["lines"]]
    assert sum(ends) == int(run.trips["is_closed"].sum())
    none = trader.get(f"/backtests/layers/{done.pk}/", {"start": 0, "end": 1}).json()
    assert (none["marks"]["time"], none["lines"]) == ([], [])


def test_a_result_whose_file_is_lost_keeps_figures_and_curve(done, trader, tmp_path):
    Path(settings.STORAGES["artefacts"]["OPTIONS"]["location"], done.artefact).unlink()
    results._arrays.cache_clear()
    html = page(trader, done)
    assert 'id="gone"' in html
    assert 'data-metric="total_return"' in html
    assert 'id="curve-figures"' in html
    assert 'id="trades"' not in html
    for path in ("equity", "export"):
        answer = trader.get(f"/backtests/{done.pk}/{path}", {"start": START, "end": END})
        assert answer.status_code == 409
        assert "is lost" in answer.json()["error"]
    assert trader.get(f"/backtests/{done.pk}/trades").status_code == 409


def test_a_result_is_there_when_its_job_is_long_forgotten(done, trader):
    done.job.delete()
    assert 'data-metric="total_return"' in page(trader, done)


def test_it_is_run_again_with_everything_as_it_was(done, trader):
    answer = trader.post(f"/backtests/{done.pk}/again")
    again = Backtest.objects.first()
    assert answer.url == f"/backtests/{again.pk}/" != f"/backtests/{done.pk}/"
    for name in ("strategy", "parameters", "trading", "start", "end", "instrument", "tags"):
        assert getattr(again, name) == getattr(done, name)


def test_tags_and_notes_are_kept(done, trader):
    url = f"/backtests/{done.pk}/notes"
    told = trader.post(url, {"tags": "good, good,  night ", "notes": "yes"}).json()
    done.refresh_from_db()
    assert (done.tags, done.notes) == (told["tags"], told["notes"]) == (["good", "night"], "yes")
    refused = trader.post(url, {"tags": "x" * 33})
    assert refused.status_code == 400
    assert "32 characters" in refused.json()["error"]


def test_a_deleted_one_is_gone_and_is_not_run_any_more(btc, ann, trader):
    backtest = request_backtest(BacktestRequest(**ASKED), ann)
    assert trader.post(f"/backtests/{backtest.pk}/delete").url == "/backtests/"
    assert not Backtest.objects.exists()
    backtest.job.refresh_from_db()
    assert backtest.job.state == "cancelled"


@pytest.mark.parametrize(
    "path",
    ["", "equity", "trades", "export", "chart/window"],
)
def test_others_backtests_are_not_found_and_staff_see_all(done, stranger, staff, path):
    asked = {"start": START, "end": START + 3_600_000}
    assert stranger.get(f"/backtests/{done.pk}/{path}", asked).status_code == 404
    assert staff.get(f"/backtests/{done.pk}/{path}", asked).status_code == 200


@pytest.mark.parametrize("order", ["again", "cancel", "delete", "notes"])
def test_nobody_orders_anything_of_others_backtests(done, stranger, order):
    assert stranger.post(f"/backtests/{done.pk}/{order}").status_code == 404
    assert stranger.get(f"/backtests/layers/{done.pk}/", {"start": 0, "end": 1}).status_code == 404
    assert Backtest.objects.count() == 1


def test_a_run_that_never_traded_is_shown_too(btc, ann, trader):
    # Ten minutes, of which nothing before is stored, decide nothing.
    first_ms = START - START % DAY_MS
    span = {"start_ms": first_ms, "end_ms": first_ms + 600_000}
    html = page(trader, finished(ann, timeframe="1m", parameters={"fast": 3, "slow": 400}, **span))
    assert "The strategy never traded over this range." in html
    assert "No round trip was closed." in html
