"""Searches over REST: asked for, ordered about, read, and refused by field."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth import get_user_model

from backtests.models import Search
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.marketdata.api.conftest import client_of
from tests.people import make_staff

URL = "/api/v1/searches/"
GIVEN = {
    "strategy": "ema_crossover",
    "space": {"fast": {"min": 3, "max": 6, "step": 1}, "slow": {"values": [9, 12, 20]}},
    "exchange": "okx-sim",
    "symbol": "BTC-USDT",
    "timeframe": "5m",
    "start": "2025-11-22T06:00:00Z",
    "end": "2025-11-24T00:00:00Z",
    "objective": "total_return",
}


@pytest.fixture
def trader(db):
    return client_of(get_user_model().objects.create_user("trader"))


def test_what_was_asked_for_is_told_at_once(btc, trader):
    answer = trader.post(URL, {**GIVEN, "tags": ["first"], "notes": "a try"})
    assert answer.status_code == 201, answer.json()
    shown = answer.json()
    assert (shown["state"], shown["owner"], shown["tags"]) == ("waiting", "trader", ["first"])
    assert (shown["total"], shown["done"], shown["direction"]) == (12, 0, "max")
    assert shown["topic"] == f"search:{get_user_model().objects.get().pk}:{shown['id']}"
    assert trader.get(f"{URL}{shown['id']}/").json() == shown
    assert [one["id"] for one in trader.get(URL).json()["results"]] == [shown["id"]]


def finished(trader, **changes):
    number = trader.post(URL, {**GIVEN, **changes}).json()["id"]
    job = Search.objects.get(pk=number).jobs.order_by("pk").first()
    assert run_job(job.pk) == "done"
    return number


def test_a_finished_one_tells_trials_tables_columns_and_files(btc, trader):
    number = finished(trader, validation={"kind": "holdout", "share": 0.4})
    told = trader.get(f"{URL}{number}/").json()
    assert (told["state"], told["done"], told["fingerprint"] != "") == ("done", 12, True)
    page = trader.get(f"{URL}{number}/trials/?limit=5").json()
    objectives = [trial["objective"] for trial in page["trials"]]
    assert (page["total"], len(objectives)) == (12, 5)
    assert objectives == sorted(objectives, reverse=True)
    assert page["trials"][0]["outside"]["total_return"] is not None
    worst = trader.get(f"{URL}{number}/trials/?order=max_drawdown&reverse=true&limit=1").json()
    assert worst["trials"][0]["metrics"]["max_drawdown"] is not None
    table = trader.get(f"{URL}{number}/heat/?x=fast&y=slow").json()
    assert (table["x"]["values"], table["y"]["values"]) == ([3, 4, 5, 6], [9, 12, 20])
    assert max(max(row) for row in table["cells"]) == objectives[0]
    columns = trader.get(f"{URL}{number}/columns/?metrics=sharpe,win_rate&most=3").json()
    assert columns["objective"] == objectives[:3]
    assert set(columns["metrics"]) == {"sharpe", "win_rate"}
    assert set(columns["parameters"]) == {"fast", "slow"}
    lines = trader.get(f"{URL}{number}/export/").getvalue().decode().splitlines()
    assert len(lines) == 13
    assert lines[0].startswith("window,number,state,objective,fast,slow,total_return")
    exported = json.loads(trader.get(f"{URL}{number}/export/?kind=json").getvalue())
    assert exported["search"]["id"] == number
    assert len(exported["trials"]) == 12


def test_orders_are_followed_or_answered_with_what_it_is(btc, trader):
    number = trader.post(URL, GIVEN).json()["id"]
    assert trader.post(f"{URL}{number}/pause/").json()["state"] == "paused"
    assert trader.post(f"{URL}{number}/resume/").json()["state"] == "waiting"
    assert trader.post(f"{URL}{number}/cancel/").json()["state"] == "cancelled"
    refused = trader.post(f"{URL}{number}/resume/")
    assert (refused.status_code, "cannot be resumed" in refused.json()["detail"]) == (409, True)
    assert trader.delete(f"{URL}{number}/").status_code == 204
    assert trader.get(f"{URL}{number}/").status_code == 404


def test_another_persons_search_is_not_there_and_staff_only_looks(btc, trader):
    number = trader.post(URL, GIVEN).json()["id"]
    other = client_of(get_user_model().objects.create_user("other"))
    for answer in (
        other.get(f"{URL}{number}/"),
        other.get(f"{URL}{number}/trials/"),
        other.post(f"{URL}{number}/cancel/"),
        other.delete(f"{URL}{number}/"),
    ):
        assert answer.status_code == 404
    looks = client_of(make_staff("looks", "instrument"))
    assert looks.get(f"{URL}{number}/").status_code == 200
    refused = looks.post(f"{URL}{number}/cancel/")
    assert refused.status_code == 403
    assert refused.json()["detail"] == "it is another person's search"


GRID = {"fast": {"min": 1, "max": 400}, "slow": {"min": 2, "max": 500}}
WALK = {"kind": "walk_forward", "mode": "rolling", "train_days": 1, "test_days": 1}
REFUSED = [
    ({"space": GRID}, "space", "these are 199,600 combinations"),
    ({"space": {"fast": {"values": []}}}, "space.fast", "1 to 1000 values"),
    ({"space": {"fats": {"values": [1]}}}, "space.fats", "did you mean"),
    ({"space": {"fast": 7}}, "space.fast", "expected an object"),
    ({"space": {"fast": {"min": 9, "max": 3}}}, "space.fast", "max to be min or more"),
    ({"space": {"fast": {"step": "NaN"}}}, "space.fast", "a step above 0"),
    ({"space": {}}, "space", "at least one"),
    ({"space": []}, "space", "dictionary"),
    ({"space": {"fast": {"values": [50]}, "slow": {"values": [9]}}}, "space", "below slow"),
    ({"parameters": {"fast": 3}}, "space.fast", "searched and stay"),
    ({"parameters": {"speed": 3}}, "parameters.speed", "no such parameter"),
    ({"parameters": {"sides": "down"}}, "parameters.sides", "no choice"),
    ({"strategy": "magic"}, "strategy", "there is no strategy"),
    ({"method": "magic"}, "method", "expected one of"),
    ({"method": "random", "count": 0}, "count", "greater than or equal"),
    ({"method": "random", "count": 10**9}, "count", "1 to 100000 trials"),
    ({"method": "optuna", "count": 10**5}, "count", "1 to 2000 trials"),
    ({"count": 5}, "count", "every combination"),
    ({"seed": -1}, "seed", "whole number"),
    ({"seed": 2**60}, "seed", "whole number"),
    ({"objective": "luck"}, "objective", "no such metric"),
    ({"objective": "sharpe"}, "objective", "it needs 30 days, and trials run over 2"),
    ({"objective": "calmar", "end": "2025-11-22T09:00:00Z"}, "objective", "run over 0"),
    ({"direction": "up"}, "direction", "max or min"),
    ({"start": "2025-11-25T00:00:00Z"}, "end", "after start"),
    ({"end": "2026-11-25T00:00:00Z"}, "start", "stored complete"),
    ({"symbol": "ETH-USDT"}, "symbol", "ETH-USDT"),
    ({"timeframe": "2m"}, "timeframe", "not a valid choice"),
    ({"trading": {"cash": "NaN"}}, "trading.cash", "finite"),
    ({"trading": {"stops": 1}}, "trading.stops", "no such setting"),
    ({"validation": {"kind": "luck"}}, "validation.kind", "expected one of"),
    ({"validation": {"kind": "holdout", "share": 2}}, "validation.share", "0.01 to 0.9"),
    ({"validation": {"kind": "holdout", "days": 2}}, "validation.days", "no such field"),
    ({"validation": {**WALK, "train_days": 0}}, "validation.train_days", "1 to 3660"),
    ({"validation": {**WALK, "train_days": 0.5}}, "validation.train_days", "whole days"),
    ({"validation": {**WALK, "mode": "jumping"}}, "validation.mode", "rolling, anchored"),
    ({"validation": {**WALK, "test_days": None}}, "validation.test_days", "missing"),
    ({"validation": {**WALK, "train_days": "x" * 99}}, "validation.train_days", "a number"),
    ({"colour": "red"}, "colour", "unknown parameter"),
]


def test_what_cannot_be_searched_is_refused_by_field_and_nothing_is_stored(btc, trader):
    for changes, field, reason in REFUSED:
        answer = trader.post(URL, {**GIVEN, **changes})
        told = answer.json()
        assert answer.status_code == 400, changes
        assert reason in str(told["errors"].get(field)), (changes, told)
    assert not Search.objects.exists()
    assert not Job.objects.exists()


def test_a_body_that_is_no_object_is_refused(btc, trader):
    for body in ("7", "null", '"text"', "[1, 2]", "true", "{", ""):
        answer = trader.post(URL, body, content_type="application/json")
        assert (answer.status_code, answer.json()["status"]) == (400, 400), body
    assert not Search.objects.exists()


def test_a_billion_combinations_are_refused_at_once(btc, trader):
    space = {
        "fast": {"min": 1, "max": 200},
        "slow": {"min": 2, "max": 400},
        "signal": {"min": 1, "max": 200},
    }
    answer = trader.post(URL, {**GIVEN, "strategy": "macd", "space": space})
    assert answer.status_code == 400
    assert "combinations" in str(answer.json()["errors"]["space"])


QUESTIONS = [
    ("heat/?x=fast&y=luck", "y"),
    ("heat/?x=fast", "y"),
    ("trials/?order=luck", "order"),
    ("trials/?limit=100000", "limit"),
    ("columns/?metrics=luck", "metrics"),
    ("export/?kind=pdf", "kind"),
]


def test_questions_that_cannot_be_answered_say_why(btc, trader):
    number = trader.post(URL, GIVEN).json()["id"]
    for path, field in QUESTIONS:
        answer = trader.get(f"{URL}{number}/{path}")
        assert (answer.status_code, field in answer.json()["errors"]) == (400, True), path
