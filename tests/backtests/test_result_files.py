"""A whole result survives JSON and Parquet."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backtests.domain.result_json import UnknownFormat, result_as_json, result_from_json
from backtests.requests import BacktestRequest
from backtests.runner import run_request
from backtests.storage.parquet import read_parquet, write_parquet
from tests.backtests.conftest import ASKED


@pytest.fixture
def result(btc):
    return run_request(BacktestRequest(**ASKED)).result


def same(left, right):
    assert left.digest == right.digest
    assert (left.units, left.rules, left.start_cash) == (right.units, right.rules, right.start_cash)
    for name in ("close_times", "closes", "equity", "indicator_times", "events"):
        assert np.array_equal(getattr(left, name), getattr(right, name)), name
    assert list(left.indicators) == list(right.indicators)
    for name, values in left.indicators.items():
        assert np.array_equal(values, right.indicators[name], equal_nan=True)
    assert left.metrics() == right.metrics()
    assert left.as_others() == right.as_others()


def test_json_gives_the_whole_result_back(result):
    text = json.dumps(result_as_json(result), allow_nan=False)
    same(result, result_from_json(json.loads(text)))


def test_parquet_gives_the_whole_result_back(result, tmp_path):
    write_parquet(result, tmp_path / "run")
    same(result, read_parquet(tmp_path / "run"))


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
