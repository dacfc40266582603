"""Whatever is asked for wrongly is refused with its field and a reason, and nothing is stored."""

from __future__ import annotations

import json
import math

import pytest
from django.contrib.auth import get_user_model

from backtests.models import Backtest
from strategies.loading import checked
from strategies.models import StrategyConfig
from strategies.services import create_config, delete_config
from tcpdashboard.common.models import Job
from tests.backtests.test_api import GIVEN, URL
from tests.marketdata.api.conftest import client_of

NUMBERS = (math.pi * 1e300, -1, "NaN", "Infinity", "x", [], {}, True, "1e999999999", None)
SHARES = (
    "taker_bps",
    "slippage_bps",
    "stop_loss",
    "take_profit",
    "trailing_stop",
    "max_drawdown",
    "max_exposure",
)
MALFORMED = [
    *((f"trading.{name}", {"trading": {name: bad}}) for name in SHARES for bad in NUMBERS[:9]),
    *(("trading.cash", {"trading": {"cash": bad}}) for bad in (*NUMBERS[:9], 0, "1e30")),
    *(("trading.size", {"trading": {"size": bad}}) for bad in (*NUMBERS[:9], 0, 2)),
    *(("trading.time_stop_minutes", {"trading": {"time_stop_minutes": b}}) for b in (0, 1.5, "1")),
    *(("trading.sizing", {"trading": {"sizing": bad}}) for bad in ("all", 1, None, [])),
    ("trading.stop_loss", {"trading": {"sizing": "risk"}}),
    ("trading.allow_short", {"trading": {"allow_short": True}}),
    ("trading.allow_short", {"trading": {"allow_short": "yes"}}),
    ("trading.margin", {"trading": {"margin": 1}}),
    ("trading", {"trading": [1]}),
    *((f"parameters.{name}", {"parameters": {name: bad}}) for name in ("fast",) for bad in NUMBERS),
    ("parameters", {"parameters": "fast=3"}),
    ("parameters.fats", {"parameters": {"fats": 3}}),
    *(("strategy", {"strategy": bad}) for bad in ("", "nothing", "x" * 65, None, [], "../x")),
    *(("symbol", {"symbol": bad}) for bad in ("", "NO-SUCH", None, {}, "\u0000")),
    *(("timeframe", {"timeframe": bad}) for bad in ("2m", "", None, 60, [])),
    *(("start", {"start": bad}) for bad in ("", "x", None, -1, 10**20, "2025-11-22", 1, [])),
    ("start", {"start": "2025-11-21T00:00:00Z", "end": "2025-11-21T01:00:00Z"}),
    ("end", {"end": "2025-11-22T06:00:00Z"}),
    ("end", {"end": "2025-11-22T05:00:00Z"}),
    ("end", {"end": "2025-11-24T00:00:30Z"}),
    ("end", {"end": "2090-01-01T00:00:00Z"}),
    ("tags", {"tags": "one"}),
    ("tags", {"tags": ["x"] * 21}),
    ("colour", {"colour": "red"}),
    *(("strategy", {"strategy": bad}) for bad in ("own:none", "own:../../etc/passwd", "os:system")),
    *(("parameters.slow", {"parameters": {"slow": bad}}) for bad in (0, 1e9, "26; drop", 26.5)),
    ("parameters.fast", {"parameters": {"fast": 26, "slow": 26}}),
    ("parameters.sides", {"parameters": {"sides": "up"}}),
    *(("exchange", {"exchange": bad}) for bad in (None, [], {})),
    *(("notes", {"notes": bad}) for bad in (None, [], {}, "x" * 10_001)),
    *(("tags", {"tags": bad}) for bad in (None, [1.5, None], ["x" * 33], [[]], {})),
    ("end", {"start": "1970-01-01T00:00:00Z", "end": "2025-11-24T00:00:00Z"}),
    ("start", {"start": "0001-01-01T00:00:00Z"}),
    ("end", {"end": "9999-12-31T23:59:59Z"}),
]


@pytest.fixture
def trader(db):
    return client_of(get_user_model().objects.create_user("trader"))


def refused(answer, field, asked):
    """See that the answer names the field with a reason, and that nothing was stored."""
    assert answer.status_code == 400, (asked, answer.content[:300])
    errors = answer.json()["errors"]
    assert any(name == field or name.startswith(f"{field}.") for name in errors), (asked, errors)
    assert all(isinstance(text, str) and text for texts in errors.values() for text in texts)


def nothing_is_stored():
    return not Backtest.objects.exists() and not Job.objects.exists()


def test_a_hundred_malformed_requests_are_refused_with_field_and_reason(btc, trader):
    assert len(MALFORMED) >= 150
    for field, changes in MALFORMED:
        refused(trader.post(URL, {**GIVEN, **changes}, format="json"), field, changes)
    assert nothing_is_stored()


def test_every_field_that_must_be_given_is_missed(btc, trader):
    for name in ("strategy", "exchange", "symbol", "start", "end"):
        given = {key: value for key, value in GIVEN.items() if key != name}
        refused(trader.post(URL, given, format="json"), name, name)
    assert nothing_is_stored()


def test_all_wrong_fields_are_named_at_once(btc, trader):
    wrong = {"timeframe": "2m", "start": "x", "tags": 3, "trading": [], "parameters": 1}
    errors = trader.post(URL, {**GIVEN, **wrong}, format="json").json()["errors"]
    assert set(wrong) <= set(errors)
    assert nothing_is_stored()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nothing",
        "[1, 2]",
        "null",
        "3",
        '"text"',
        '{"strategy": "ema_crossover", "start": }',
        "[" * 5_000,
        json.dumps({**GIVEN, "trading": {"cash": math.nan}}),
        json.dumps({**GIVEN, "trading": {"cash": math.inf}}),
        json.dumps({**GIVEN, "parameters": {"fast": math.nan}}),
        json.dumps({**GIVEN, "notes": "x" * 10_001}),
        json.dumps({**GIVEN, "notes": "\0"}),
        json.dumps({**GIVEN, "tags": ["\0"]}),
        json.dumps({**GIVEN, "parameters": {"\0": 1}}),
        json.dumps({**GIVEN, "trading": {"\ud800": 1}}),
        json.dumps({**GIVEN, "strategy": "own:\0"}),
        json.dumps({**GIVEN, "parameters": {"fast": 10**400}}),
        json.dumps({**GIVEN, "parameters": {f"p{number}": 1 for number in range(2_000)}}),
    ],
)
def test_bodies_that_are_none_are_refused(btc, trader, body):
    answer = trader.post(URL, body, content_type="application/json")
    assert answer.status_code == 400, answer.content[:300]
    assert answer.json()
    assert nothing_is_stored()


def test_configurations_that_cannot_be_used_are_refused(btc, trader):
    draft = {"name": "a", "strategy": "ema_crossover", "timeframe": "5m", "params": {}}
    other = create_config(get_user_model().objects.create_user("other"), checked(draft))
    gone = create_config(None, checked(draft))
    StrategyConfig.objects.filter(pk=gone.pk).update(used_at=gone.created_at)
    delete_config(gone)
    everybodys = create_config(None, checked({**draft, "name": "b"}))
    span = {name: GIVEN[name] for name in ("exchange", "symbol", "start", "end")}
    for number in (other.pk, gone.pk, 10**9, 10**30, 0, -1, "x", [], None):
        refused(trader.post(URL, {**span, "config": number}, format="json"), "config", number)
    for name, value in (("strategy", "macd"), ("timeframe", "5m"), ("parameters", {})):
        asked = {**span, "config": everybodys.pk, name: value}
        refused(trader.post(URL, asked, format="json"), name, asked)
    assert nothing_is_stored()
    everybodys.refresh_from_db()
    assert everybodys.used_at is None
    assert trader.post(URL, {**span, "config": everybodys.pk}, format="json").status_code == 201
    everybodys.refresh_from_db()
    assert everybodys.used_at is not None
