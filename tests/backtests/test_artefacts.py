"""Files of results live as long as a backtest names them."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction

from backtests.models import Backtest
from backtests.requests import BacktestRequest
from backtests.services import delete_backtest, run_now
from backtests.storage.artefacts import keep_arrays, load_arrays, remove_orphans, remove_unnamed
from backtests.tasks import ORPHANED
from backtests.tasks import remove_orphans as task
from tcpdashboard.schedules import beat_schedule
from tests.backtests.conftest import ASKED

DAY_S = 86_400


def run(**changes):
    return run_now(BacktestRequest(**{**ASKED, **changes}))


def path_of(tmp_path, name):
    return tmp_path / "artefacts" / name


def age(tmp_path, name, seconds):
    then = time.time() - seconds
    os.utime(path_of(tmp_path, name), (then, then))


def test_only_old_files_that_nothing_names_are_removed(btc, tmp_path):
    kept = run().artefact
    orphan = keep_arrays({"equity": np.array([1, 2])})
    young = keep_arrays({"equity": np.array([3, 4])})
    for name in (kept, orphan):
        age(tmp_path, name, 2 * DAY_S)
    age(tmp_path, young, DAY_S / 2)
    assert task() == 1
    assert not path_of(tmp_path, orphan).exists()
    assert load_arrays(young)["equity"].tolist() == [3, 4]
    assert len(load_arrays(kept)["equity"]) > 0
    assert remove_orphans(timedelta(0)) == 1


def test_without_any_file_there_is_nothing_to_do(db):
    assert remove_orphans(ORPHANED) == 0


def test_beat_sends_it():
    assert "backtests.remove_orphans" in {entry["task"] for entry in beat_schedule(5).values()}


def test_a_file_goes_with_its_backtest(btc, tmp_path, django_capture_on_commit_callbacks):
    backtest = run()
    with django_capture_on_commit_callbacks(execute=True):
        delete_backtest(backtest)
    assert not path_of(tmp_path, backtest.artefact).exists()


def test_a_file_that_two_backtests_came_to_stays_with_the_other(
    btc, tmp_path, django_capture_on_commit_callbacks
):
    first, second = run(), run()
    assert first.artefact == second.artefact
    with django_capture_on_commit_callbacks(execute=True):
        delete_backtest(first)
    assert len(load_arrays(second.artefact)["equity"]) > 0


@pytest.mark.django_db(transaction=True)
def test_a_file_is_not_removed_while_its_name_is_being_stored(tmp_path):
    """The sweep waits for the transaction that names the file, and then leaves it."""
    arrays = {"equity": np.array([5, 6])}
    name = keep_arrays(arrays)
    age(tmp_path, name, 2 * DAY_S)
    told: list[bool] = []

    def sweep() -> None:
        told.append(remove_unnamed(name))
        connection.close()

    thread = threading.Thread(target=sweep)
    with transaction.atomic():
        assert keep_arrays(arrays) == name
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        Backtest.objects.create(**row(name))
    thread.join(10)
    assert told == [False]
    assert load_arrays(name)["equity"].tolist() == [5, 6]


def row(name):
    from backtests.domain.records import KERNEL_VERSION
    from marketdata.models import from_ms
    from tests.marketdata.api.conftest import make_instrument

    return {
        "strategy": "ema_crossover",
        "source_hash": "x",
        "instrument": make_instrument("BTC-USDT"),
        "timeframe": "5m",
        "start": from_ms(ASKED["start_ms"]),
        "end": from_ms(ASKED["end_ms"]),
        "engine_version": KERNEL_VERSION,
        "fingerprint": "x",
        "result_hash": "x",
        "artefact": name,
    }
