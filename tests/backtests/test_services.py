"""A backtest is asked for, run as a job, stored, and does the same again."""

from __future__ import annotations

import numpy as np
import pytest
from django.db.models import F

from backtests.models import Backtest
from backtests.requests import BacktestRequest, InvalidBacktest, prepare
from backtests.runner import request_of
from backtests.services import request_backtest, rerun_backtest
from backtests.storage.artefacts import Changed, keep_arrays, load_arrays
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import CandleDay, Instrument
from marketdata.storage import range_fingerprint, write_candles
from tcpdashboard.common.jobs.orders import cancel_job
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.backtests.conftest import ASKED, wave, with_candles
from tests.marketdata.api.conftest import START_MS, make_instrument
from tests.people import make_staff


def ask(**changes):
    return request_backtest(BacktestRequest(**{**ASKED, **changes}))


def done(**changes):
    backtest = ask(**changes)
    assert run_job(backtest.job_id) == "done"
    return Backtest.objects.get(pk=backtest.pk)


def test_a_backtest_is_stored_with_everything_to_do_it_again(btc):
    backtest = done()
    assert backtest.state == "done"
    assert backtest.job.result == {
        "backtest": backtest.pk,
        "result_hash": backtest.result_hash,
    }
    assert backtest.parameters == {"fast": 3, "slow": 9, "sides": "long"}
    assert backtest.trading["taker_bps"] == "10"
    assert backtest.metrics["round_trips"] > 5
    assert backtest.integrity["complete_share"] == 1.0
    asked_for = range_fingerprint(btc, Timeframe.M1, ASKED["start_ms"], ASKED["end_ms"]).hex()
    assert backtest.integrity["fingerprint"] == asked_for
    assert len(backtest.source_hash) == len(backtest.fingerprint) == 64
    assert backtest.badges == []
    again = rerun_backtest(backtest)
    assert (again.result_hash, again.differences) == (backtest.result_hash, {})
    assert again.metrics == backtest.metrics


def test_candles_are_hashed_by_the_run_and_not_before_it(btc):
    backtest = ask()
    hashed = CandleDay.objects.filter(timeframe=1, hashed_version=F("version"))
    assert not hashed.exists()
    assert run_job(backtest.job_id) == "done"
    assert hashed.exists()
    backtest.refresh_from_db()
    with prepare(request_of(backtest)) as prepared:
        span = prepared.load_from_ms, prepared.end_ms
    assert span[0] < ASKED["start_ms"]
    assert backtest.fingerprint == range_fingerprint(btc, Timeframe.M1, *span).hex()
    CandleDay.objects.update(hashed_version=0)
    assert backtest.fingerprint == range_fingerprint(btc, Timeframe.M1, *span).hex()


def test_what_was_traded_is_kept_in_a_file(btc):
    backtest = done()
    kept = load_arrays(backtest.artefact)
    assert len(kept["equity"]) == len(kept["close_times"]) == 2 * 1440 - 360
    assert kept["close_times"][0] == ASKED["start_ms"] + MINUTE_MS
    end = backtest.metrics["total_return"] * 10_000 + 10_000
    assert kept["equity"][-1] * 1e-9 == pytest.approx(end)
    assert backtest.curve["equity"][-1] == pytest.approx(end)
    assert len(backtest.curve["equity"]) <= 1000


def test_the_same_run_keeps_one_file(btc):
    assert done().artefact == done().artefact


def test_a_file_that_was_changed_is_refused(btc, tmp_path):
    name = keep_arrays({"equity": np.array([5, 7, 7])})
    assert load_arrays(name)["equity"].tolist() == [5, 7, 7]
    file = tmp_path / "artefacts" / name
    file.write_bytes(file.read_bytes() + b"!")
    with pytest.raises(Changed, match="was changed after it was written"):
        load_arrays(name)


def test_candles_that_were_revised_explain_another_result(btc):
    backtest = done()
    changed = wave()[1500:1600]
    changed["high"] += 200
    changed["close"] += 200
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    again = rerun_backtest(backtest)
    assert {"fingerprint", "result_hash", "metrics.total_return"} <= set(again.differences)
    assert (again.is_reproduced, again.cause) == (False, "candles were revised")


def test_a_candle_of_the_warm_up_that_was_revised_is_another_input(btc):
    backtest = done()
    before = (ASKED["start_ms"] - START_MS) // MINUTE_MS - 1
    changed = wave()[before : before + 1]
    changed["volume"] += 1
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    again = rerun_backtest(backtest)
    assert set(again.differences) == {"fingerprint"}
    assert again.is_reproduced
    changed["high"] += 500
    changed["close"] += 500
    changed["revision"] = 2
    write_candles(btc, changed, reason="test")
    assert {"fingerprint", "result_hash"} <= set(rerun_backtest(backtest).differences)


def test_another_figure_of_another_program_is_a_difference_too(btc):
    backtest = done()
    backtest.compared["freqtrade"]["sqn"] = 99
    assert set(rerun_backtest(backtest).differences) == {"freqtrade.sqn"}
    backtest.compared["vectorbt"].pop("sqn")
    assert set(rerun_backtest(backtest).differences) == {"freqtrade.sqn"}


def test_what_nothing_explains_is_said_to_be_unexplained(btc):
    backtest = done()
    backtest.result_hash = "0" * 64
    again = rerun_backtest(backtest)
    assert set(again.differences) == {"result_hash"}
    assert "nothing that is kept about it moved" in again.cause


def test_a_strategy_warms_up_before_the_start(btc):
    early = done(start_ms=START_MS + DAY_MS)
    first = load_arrays(early.artefact)["events"][0]
    assert first["time_ms"] < START_MS + DAY_MS + 120 * MINUTE_MS
    assert load_arrays(early.artefact)["close_times"][0] == START_MS + DAY_MS + MINUTE_MS


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"symbol": "NO-SUCH"}, "symbol", "no instrument 'NO-SUCH'"),
        ({"timeframe": "2m"}, "timeframe", "expected one of 1m"),
        ({"strategy": "ema_crosover"}, "strategy", "ema_crossover"),
        ({"parameters": {"fast": 0}}, "parameters.fast", "expected"),
        ({"parameters": {"fast": 30, "slow": 20}}, "parameters.fast", "below slow"),
        ({"parameters": {"fats": 3}}, "parameters.fats", "fast"),
        ({"end_ms": ASKED["start_ms"]}, "end", "after start"),
        ({"start_ms": START_MS + 1}, "start", "whole minute"),
        ({"end_ms": START_MS + 30 * 366 * DAY_MS}, "end", "20 years"),
        ({"start_ms": START_MS - 9 * DAY_MS}, "start", "of the minutes of okx-sim:BTC-USDT"),
        ({"trading": {"cash": "-1"}}, "trading.cash", "above 0"),
        ({"trading": {"cash": "NaN"}}, "trading.cash", "finite number"),
        ({"trading": {"cash": 1e30}}, "trading.cash", "does not fit"),
        ({"trading": {"allow_short": True}}, "trading.allow_short", "cannot be sold short"),
        ({"trading": {"leverage": 3}}, "trading.leverage", "no such setting"),
    ],
)
def test_what_cannot_be_run_is_refused_by_field(btc, changes, field, reason):
    with pytest.raises(InvalidBacktest) as refused:
        ask(**changes)
    assert list(refused.value.errors) == [field]
    assert reason in refused.value.errors[field]
    assert not Backtest.objects.exists()
    assert not Job.objects.exists()


def test_every_wrong_field_is_named_at_once(btc):
    with pytest.raises(InvalidBacktest) as refused:
        ask(timeframe="x", trading={"cash": [], "size": "much"}, end_ms=0)
    assert set(refused.value.errors) == {"timeframe", "trading.cash", "trading.size", "end"}


def test_missing_candles_are_told_on_the_result(btc):
    assert done(end_ms=ASKED["end_ms"] + 60 * MINUTE_MS).badges == [
        "only 97.67% of the minutes are complete"
    ]


def test_a_swap_says_that_funding_is_not_modelled(db):
    with_candles(make_instrument("BTC-USDT-SWAP", kind="swap"))
    backtest = done(symbol="BTC-USDT-SWAP", trading={"allow_short": True})
    assert backtest.badges == ["funding not modelled"]
    assert backtest.trading["taker_bps"] == "5"


def test_a_run_that_became_impossible_fails_with_its_reason(btc):
    backtest = ask()
    Backtest.objects.filter(pk=backtest.pk).update(strategy="gone")
    assert run_job(backtest.job_id) == "failed"
    failed = Backtest.objects.get(pk=backtest.pk)
    assert failed.state == "failed"
    assert "there is no strategy 'gone'" in failed.error


def test_a_cancelled_backtest_stores_nothing(btc):
    backtest = ask()
    cancel_job(backtest.job)
    assert run_job(backtest.job_id) is None
    assert Backtest.objects.get(pk=backtest.pk).state == "cancelled"


def test_a_result_outlives_its_job(btc):
    backtest = done()
    Job.objects.all().delete()
    assert Backtest.objects.get(pk=backtest.pk).state == "done"


def test_a_person_sees_their_own_and_staff_all(btc, django_user_model):
    someone = django_user_model.objects.create_user("someone")
    mine = request_backtest(BacktestRequest(**ASKED), owner=someone)
    ask()
    assert [one.pk for one in Backtest.objects.visible_to(someone)] == [mine.pk]
    assert Backtest.objects.visible_to(make_staff()).count() == 2


def test_an_instrument_with_backtests_is_not_deleted(btc):
    ask()
    with pytest.raises(Exception, match="protected"):
        Instrument.objects.get().delete()


def test_minutes_without_any_candle_are_refused(db):
    make_instrument("BTC-USDT")
    with pytest.raises(InvalidBacktest, match=r"only 0\.0%"):
        ask()
