"""Backtests from the command line: run, told, done again."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from backtests.models import Backtest
from marketdata.storage import write_candles
from tests.backtests.conftest import wave

WHERE = ("--exchange", "okx-sim", "--symbol", "BTC-USDT", "--timeframe", "5m")
RANGE = ("--start", "2025-11-22T06:00", "--end", "2025-11-24")
PARAMS = ("--param", "fast=3", "--param", "slow=9")


def run(*options, strategy="ema_crossover"):
    out = StringIO()
    chosen = ("--strategy", strategy, *WHERE, *RANGE, *options)
    call_command("run_backtest", *chosen, stdout=out)
    return out.getvalue()


def rerun(number):
    out = StringIO()
    call_command("rerun_backtest", str(number), stdout=out)
    return out.getvalue()


def test_a_run_prints_every_figure_and_is_stored(btc):
    out = run(*PARAMS)
    backtest = Backtest.objects.get()
    assert f"backtest {backtest.pk}, result {backtest.result_hash}" in out
    assert "Total return " in out
    assert "Sharpe                 unknown" in out
    assert f"{backtest.metrics['fees_paid']:,.2f} USDT" in out
    assert backtest.parameters["slow"] == 9
    assert (backtest.state, backtest.job) == ("done", None)


def test_costs_and_cash_are_options(btc):
    options = ("--fee-bps", "0", "--slippage-bps", "0", "--cash", "500")
    told = json.loads(run(*PARAMS, *options, "--json"))
    assert told["trading"]["taker_bps"] == told["trading"]["slippage_bps"] == "0"
    assert told["trading"]["cash"] == "500"
    assert told["metrics"]["fees_paid"] == 0
    assert told["instrument"] == "okx-sim:BTC-USDT"
    assert told["result_hash"] == Backtest.objects.get().result_hash


def test_a_rerun_proves_the_result(btc):
    run(*PARAMS)
    backtest = Backtest.objects.get()
    assert rerun(backtest.pk) == f"backtest {backtest.pk} is reproduced: {backtest.result_hash}\n"


def test_a_rerun_over_other_candles_says_why_it_differs(btc):
    run(*PARAMS)
    changed = wave()[1500:1600]
    changed["high"] += 200
    changed["close"] += 200
    changed["revision"] = 1
    write_candles(btc, changed, reason="test")
    with pytest.raises(
        CommandError,
        match=r"differently: candles were revised\nfingerprint was \w+, is \w+\nresult_hash",
    ):
        rerun(Backtest.objects.get().pk)


def test_a_rerun_whose_code_moved_says_so(btc):
    run(*PARAMS)
    Backtest.objects.update(source_hash="other")
    told = rerun(Backtest.objects.get().pk)
    assert "is reproduced" in told
    assert "although the strategy's code, or what it computes with, changed since:" in told
    assert "\nsource_hash was other" in told


def test_a_rerun_whose_figures_are_others_is_not_the_same_result(btc):
    run(*PARAMS)
    backtest = Backtest.objects.get()
    metrics = {**backtest.metrics, "win_rate": 0.25}
    Backtest.objects.update(metrics=metrics)
    with pytest.raises(
        CommandError,
        match=r"differently: a formula of figures changed\nmetrics\.win_rate was 0\.25, is 1\.0$",
    ):
        rerun(backtest.pk)


@pytest.mark.parametrize(
    ("options", "strategy", "reason"),
    [
        (("--param", "fast"), "ema_crossover", "expected --param NAME=VALUE; was 'fast'"),
        (("--param", "fast=x"), "ema_crossover", "parameters.fast: expected a number"),
        ((), "ema_crosover", "ema_crossover"),
        (("--timeframe", "7m"), "ema_crossover", "timeframe: expected one of"),
        (("--end", "2025-11-22"), "ema_crossover", "end: expected a time after start"),
        (("--cash", "0"), "ema_crossover", "trading.cash: expected an initial balance above 0"),
        (("--cash", "much"), "ema_crossover", "expected a number; was 'much'"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(btc, options, strategy, reason):
    with pytest.raises(CommandError, match=reason):
        run(*options, strategy=strategy)
    assert not Backtest.objects.exists()


def test_what_has_no_result_cannot_be_proved(btc):
    with pytest.raises(CommandError, match="there is no backtest 7"):
        rerun(7)
