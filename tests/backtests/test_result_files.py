"""A whole result survives JSON and Parquet."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backtests.domain.result_json import UnknownFormat, result_as_json, result_from_json
from backtests.requests import BacktestRequest
from backtests.runner import run_request
from backtests.storage.parquet import read_parquet, write_parquet
from tests.backtests.conftest import ASKED


@pytest.fixture
def result(btc):
    return run_request(BacktestRequest(**ASKED)).result


ARRAYS = ("close_times", "closes", "equity", "indicator_times", "events")


def told(result):
    """Return everything a result says, arrays by their bytes."""
    return {
        "digest": result.digest,
        "settings": (result.units, result.rules, result.start_cash),
        "arrays": {name: getattr(result, name).tobytes() for name in ARRAYS},
        "indicators": [(name, values.tobytes()) for name, values in result.indicators.items()],
        "metrics": result.metrics(),
        "as others": result.as_others(),
    }


def test_json_gives_the_whole_result_back(result):
    text = json.dumps(result_as_json(result), allow_nan=False)
    assert told(result_from_json(json.loads(text))) == told(result)


def test_parquet_gives_the_whole_result_back(result, tmp_path):
    write_parquet(result, tmp_path / "run")
    assert told(read_parquet(tmp_path / "run")) == told(result)


def test_what_a_result_tells_changes_with_a_single_minute(result):
    equity = result.equity.copy()
    equity[0] += 1
    assert told(replace(result, equity=equity)) != told(result)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda stored: stored.update(format=9), "expected format 1"),
        (lambda stored: stored.pop("equity"), "no result"),
        (lambda stored: stored["events"]["lots"].__setitem__(0, 1), "it was changed"),
        (lambda stored: stored.update(events=[]), "no result"),
    ],
)
def test_what_is_no_result_is_refused(result, change, reason):
    stored = result_as_json(result)
    change(stored)
    with pytest.raises(UnknownFormat, match=reason):
        result_from_json(stored)
