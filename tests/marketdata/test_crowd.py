"""The benchmark of many instruments measures what it says, on a few of them."""

from __future__ import annotations

import pytest

from tests.benchmarks.bench_crowd import collected
from tests.marketdata.conftest import queues
from tests.marketdata.processes import database_environment

__all__ = ["queues"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.usefixtures("queues"),
]


def test_a_small_crowd_is_collected_and_measured(tmp_path):
    crowd = collected(tmp_path, database_environment(tmp_path), 12, 120.0, speed=10)
    assert (crowd.collectors, crowd.sockets) == (1, 2)
    # Four quiet ones beside the usual eight, which have 456 matches a minute.
    assert 0.5 < crowd.rows_a_day("trade") / 1440 / (456 + 4 * 30) < 2
    assert 800 < crowd.rows_a_day("opening") / 12 < 1600
    assert crowd.last.cpu_s["worker-collect"] > crowd.first.cpu_s["worker-collect"]
    assert crowd.last.cpu_s["postgres"] > crowd.first.cpu_s["postgres"]
    assert all(megabytes > 1 for megabytes in crowd.memory_mb.values())
    assert len(crowd.lags_ms) > 100
    assert min(crowd.lags_ms) > -200
    assert (crowd.gaps, crowd.incomplete) == (0, 0)
