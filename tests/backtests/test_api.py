"""Backtests over REST: asked for, followed, read, and refused by field."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from backtests.models import Backtest
from marketdata.domain.timeframe import Timeframe
from marketdata.models import to_ms
from marketdata.storage import range_fingerprint
from tcpdashboard.common.jobs.runner import run_job
from tests.marketdata.api.conftest import client_of
from tests.people import make_staff

URL = "/api/v1/backtests/"
GIVEN = {
    "strategy": "ema_crossover",
    "parameters": {"fast": 3, "slow": 9},
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "timeframe": "5m",
    "start": "2025-11-22T06:00:00Z",
    "end": "2025-11-24T00:00:00Z",
}


@pytest.fixture
def trader(db):
    return client_of(get_user_model().objects.create_user("trader"))


def finished(trader, **changes):
    number = trader.post(URL, {**GIVEN, **changes}).json()["id"]
    assert run_job(Backtest.objects.get(pk=number).job_id) == "done"
    return number


def test_what_was_asked_for_is_told_at_once(btc, trader):
    answer = trader.post(URL, {**GIVEN, "tags": ["first"], "notes": "a try"})
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["state"], shown["owner"], shown["tags"]) == ("waiting", "trader", ["first"])
    assert shown["topic"].startswith("job:")
    assert shown["parameters"] == {"fast": 3, "slow": 9, "sides": "long"}
    assert shown["trading"]["slippage_bps"] == "5"
    assert trader.get(f"{URL}{shown['id']}/result/").status_code == 409
    assert "is waiting" in trader.get(f"{URL}{shown['id']}/fills/").json()["detail"]


def test_a_finished_one_tells_figures_curve_and_data(btc, trader):
    number = finished(trader)
    told = trader.get(f"{URL}{number}/result/").json()
    figures = {figure["key"]: figure for figure in told["figures"]}
    assert figures["total_return"]["value"] == told["metrics"]["total_return"]
    assert figures["sharpe"]["value"] is None
    assert "365" in figures["sharpe"]["formula"]
    assert len(told["curve"]["time_ms"]) == len(told["curve"]["equity"]) <= 1000
    assert told["integrity"]["complete_share"] == 1.0
    backtest = Backtest.objects.get(pk=number)
    assert told["fingerprint"] == backtest.fingerprint
    span = to_ms(backtest.start), to_ms(backtest.end)
    # Without the candles of the warm-up, which are in the other one.
    asked_for = range_fingerprint(btc, Timeframe.M1, *span).hex()
    assert told["integrity"]["fingerprint"] == asked_for != told["fingerprint"]


def test_fills_come_in_pages(btc, trader):
    number = finished(trader)
    whole = trader.get(f"{URL}{number}/fills/").json()
    assert whole["total"] == len(whole["fills"]) > 10
    part = trader.get(f"{URL}{number}/fills/", {"first": 3, "limit": 2}).json()
    assert part["fills"] == whole["fills"][3:5]
    first = whole["fills"][0]
    assert (first["side"], first["reason"]) == ("buy", "target")
    assert float(first["position"]) == float(first["quantity"]) > 0
    assert float(first["fee"]) == pytest.approx(
        float(first["price"]) * float(first["quantity"]) * 0.001, rel=1e-6
    )


def test_equity_is_thinned_to_what_is_asked_for(btc, trader):
    number = finished(trader)
    told = trader.get(f"{URL}{number}/equity/", {"max_points": 50}).json()
    assert len(told["time_ms"]) == len(told["equity"]) <= 50
    whole = trader.get(f"{URL}{number}/equity/", {"max_points": 10_000}).json()
    assert len(whole["equity"]) == 2 * 1440 - 360
    assert (max(told["equity"]), min(told["equity"])) == (
        max(whole["equity"]),
        min(whole["equity"]),
    )
    end = 10_000 * (1 + Backtest.objects.get().metrics["total_return"])
    assert told["equity"][-1] == pytest.approx(end)


def test_all_fills_are_exported_as_csv(btc, trader):
    number = finished(trader)
    answer = trader.get(f"{URL}{number}/export/")
    header, *lines = b"".join(answer.streaming_content).decode().splitlines()
    assert header.startswith("time_ms,side,quantity,price")
    assert len(lines) == trader.get(f"{URL}{number}/fills/").json()["total"]
    assert f"backtest-{number}-fills.csv" in answer["Content-Disposition"]


def test_a_waiting_one_is_cancelled_and_a_finished_one_is_not(btc, trader):
    number = trader.post(URL, GIVEN).json()["id"]
    assert trader.post(f"{URL}{number}/cancel/").json()["state"] == "cancelled"
    assert trader.post(f"{URL}{finished(trader)}/cancel/").status_code == 409


def test_others_see_and_cancel_nothing_of_it(btc, trader):
    number = trader.post(URL, GIVEN).json()["id"]
    other = client_of(get_user_model().objects.create_user("other"))
    assert other.get(URL).json()["results"] == []
    for path in ("", "result/", "fills/", "equity/", "export/"):
        assert other.get(f"{URL}{number}/{path}").status_code == 404
    assert other.post(f"{URL}{number}/cancel/").status_code == 404
    assert client_of(make_staff()).get(f"{URL}{number}/").status_code == 200


def test_staff_without_the_right_look_and_cancel_nothing(btc, trader):
    number = trader.post(URL, GIVEN).json()["id"]
    looks = client_of(make_staff("looks", "instrument"))
    assert looks.get(f"{URL}{number}/").status_code == 200
    refused = looks.post(f"{URL}{number}/cancel/")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "it is another person's backtest"
    rules = client_of(make_staff("rules", "backtest"))
    assert rules.post(f"{URL}{number}/cancel/").json()["state"] == "cancelled"


def test_lists_are_filtered(btc, trader):
    first = trader.post(URL, {**GIVEN, "tags": ["a", "b"]}).json()["id"]
    trader.post(URL, {**GIVEN, "timeframe": "1h"})
    for query in ({"tag": "b"}, {"timeframe": "5m"}):
        assert [row["id"] for row in trader.get(URL, query).json()["results"]] == [first]
    assert len(trader.get(URL, {"strategy": "ema_crossover"}).json()["results"]) == 2
    assert trader.get(URL, {"symbol": "ETH-USDT"}).json()["results"] == []
    assert trader.get(URL, {"colour": "red"}).status_code == 400


def test_a_file_that_is_lost_is_told(btc, trader, tmp_path):
    number = finished(trader)
    (tmp_path / "artefacts" / Backtest.objects.get().artefact).unlink()
    answer = trader.get(f"{URL}{number}/fills/")
    assert answer.status_code == 409
    assert "is lost" in answer.json()["detail"]
