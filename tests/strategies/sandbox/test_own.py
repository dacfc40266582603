"""People's own strategies: they work, and whatever they do ends nothing but themselves."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from marketdata.domain.timeframe import Timeframe
from strategies.domain.builtin.ema_crossover import EmaCrossover
from strategies.domain.errors import InvalidParameters, StrategyFailed
from strategies.domain.markets import made_up
from strategies.sandbox.limits import Limits
from strategies.sandbox.own import OwnStrategy, describe
from strategies.sandbox.process import StrategyProcess
from tests.effort import spent_with_children_s
from tests.patience import until

HEAD = '''\
"""Mine."""
import ctypes, os, signal, subprocess, sys, time
import numpy as np
from strategies.domain.base import BaseStrategy
from strategies.domain.params import Whole


class Mine(BaseStrategy):
    """Long above the average."""

    key, title, source = "mine", "Mine", "myself"
    parameters = (Whole("period", "Period", 5, 2, 50, "Candles."),)

    @property
    def warmup(self):
        return self.params["period"]

    def get_indicators(self, candles):
        return candles.indicator("sma", period=self.params["period"])

    def process_data(self, candles):
'''
BODY_LINE = HEAD.count("\n") + 1
GOOD = "        return np.where(candles.close > self.get_indicators(candles)['sma'], 1.0, 0.0)\n"
CANDLES = made_up(300, Timeframe.M1)
LIMITS = Limits(deadline_s=30.0, memory_mb=300, output_kb=64)
SHORT = replace(LIMITS, deadline_s=8.0)
"""For what never ends."""


@pytest.fixture
def write(tmp_path):
    def write(body=GOOD, head=HEAD):
        file = tmp_path / "mine.py"
        file.write_text(head + body)
        return file

    return write


def own(file, limits=LIMITS, **params):
    return OwnStrategy(str(file), str(file.parent), limits, "1m", params)


def failure(file, limits=LIMITS):
    with own(file, limits) as strategy, pytest.raises(StrategyFailed) as failed:
        strategy.process_data(CANDLES)
    return failed.value


def test_it_gives_targets_and_indicators_as_a_built_in_one_would(write):
    with own(write(), period=7) as strategy:
        targets = strategy.process_data(CANDLES)
        expected = CANDLES.indicator("sma", period=7)["sma"]
        assert np.array_equal(strategy.get_indicators(CANDLES)["sma"], expected, equal_nan=True)
        assert np.array_equal(targets, np.where(CANDLES.close > expected, 1.0, 0.0))
        assert (strategy.warmup, strategy.params) == (7, {"period": 7})


def test_it_says_where_its_indicators_are_drawn(write):
    with own(write()) as strategy:
        assert strategy.get_panes() == {}
    told = GOOD + '\n    def get_panes(self):\n        return {"sma": "price"}\n'
    with own(write(told)) as strategy:
        assert strategy.get_panes() == {"sma": "price"}
    wrong = GOOD + "\n    def get_panes(self):\n        return 1 / 0\n"
    with pytest.raises(StrategyFailed, match="ZeroDivisionError"):
        own(write(wrong))


def test_it_says_of_itself_what_a_form_needs(write):
    file = write()
    with StrategyProcess(str(file), str(file.parent), LIMITS) as process:
        told = describe(process, "own:mine")
    assert (told.key, told.title, told.help) == ("own:mine", "Mine", "Long above the average.")
    assert [parameter.name for parameter in told.parameters] == ["period"]
    assert told.code == file.read_text()
    assert not told.has_steps


def test_its_code_is_what_its_process_loaded_whatever_became_of_the_file(write):
    file = write()
    before = file.read_text()
    with own(file) as strategy:
        write(GOOD.replace("1.0, 0.0", "0.0, 1.0"))
        assert strategy.process_data(CANDLES)[-1] == (CANDLES.close[-1] > sma(5)[-1])
        assert strategy.code == before
        assert strategy.code_hash == hashlib.sha256(before.encode()).hexdigest()


def test_code_that_changed_within_a_second_is_not_taken_for_what_was_compiled(write):
    file = write()
    os.utime(file, (1, 1))
    with own(file) as strategy:
        first = strategy.process_data(CANDLES)
    write(GOOD.replace("1.0, 0.0", "0.0, 1.0"))
    os.utime(file, (1, 1))
    with own(file) as strategy:
        assert np.array_equal(strategy.process_data(CANDLES), 1.0 - first)


def sma(period):
    return CANDLES.indicator("sma", period=period)["sma"]


def test_a_built_in_strategy_gives_the_same_through_the_pipes():
    path = "strategies.domain.builtin.ema_crossover:EmaCrossover"
    here = EmaCrossover("1m")
    with OwnStrategy(path, "", LIMITS, "1m") as there:
        assert there.warmup == here.warmup
        whole = here.process_data(CANDLES)
        assert np.array_equal(there.process_data(CANDLES), whole, equal_nan=True)
        state = there.begin()
        for index in range(30):
            part = CANDLES.rows[index : index + 1]
            candle = type(CANDLES)(CANDLES.timeframe, CANDLES.spec, part)
            state, target = there.step(state, candle)
        assert target == whole[29] or np.isnan([target, whole[29]]).all()


def test_wrong_parameters_are_refused_by_name(write):
    with pytest.raises(InvalidParameters) as refused:
        own(write(), period=51, perod=1)
    assert set(refused.value.errors) == {"period", "perod"}


def test_proofs_are_made_where_the_strategy_is(write):
    body = "        return np.where(np.append(candles.close[1:], 0) > candles.close, 1.0, 0.0)\n"
    with own(write(body)) as strategy:
        proofs = {proof.name: proof.is_passed for proof in strategy.prove(CANDLES)}
    assert proofs["look_ahead"] is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("        return 1 / 0\n", 0, "ZeroDivisionError: division by zero"),
        ("        x = 1\n        os._exit(0)\n", 1, "it called os._exit(0)"),
        ("        sys.exit('bye')\n", 0, "SystemExit: bye"),
        ("        x = []\n        while True: x.append(np.ones(10**7))\n", 1, "more than 300 MB"),
        ("        while True: print('x' * 1000)\n", 0, "it printed more than 64 kB"),
        ("        ctypes.string_at(0)\n", 0, "ended by SIGSEGV"),
        ("        return np.zeros(3)\n", None, "process_data: expected one value for each of 300"),
        ("        return candles.indicator('smaa')\n", 0, "InvalidIndicator: expected one of sma"),
    ],
    ids=[
        "raises", "exits hard", "exits", "eats memory", "prints", "crashes", "miscounts",
        "misnames",
    ],
)  # fmt: skip
def test_a_failure_names_file_line_and_reason(write, body, line, reason):
    file = write(body)
    failed = failure(file)
    assert failed.file == str(file)
    assert failed.line == (None if line is None else BODY_LINE + line)
    assert reason in failed.reason


@pytest.mark.slow
@pytest.mark.parametrize("body", ["while True: pass", "time.sleep(600)"], ids=["loops", "sleeps"])
def test_one_that_never_ends_names_the_line(write, body):
    file = write(f"        {body}\n")
    failed = failure(file, SHORT)
    assert (failed.file, failed.line) == (str(file), BODY_LINE)
    assert "it took longer than 8 s" in failed.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("        ctypes.CDLL(None)._exit(3)\n", "it ended its process with status 3"),
        ("        os.kill(os.getpid(), signal.SIGKILL)\n", "its process was ended by SIGKILL"),
        ("        while True: os.write(1, b'x' * 10**6)\n", "it wrote too much to its output"),
        ("        os.closerange(3, 99)\n        return candles.close\n", "status"),
    ],
    ids=["exits past Python", "kills itself", "writes past Python", "closes its pipes"],
)
def test_an_end_without_a_word_names_at_least_the_file(write, body, reason):
    file = write(body)
    failed = failure(file)
    assert failed.file == str(file)
    assert reason in failed.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("def broken(:\n", 1, "SyntaxError: invalid syntax"),
        ("x = 1\nimport no_such_module\n", 2, "ModuleNotFoundError: No module named"),
        ("x = 1\n", None, 'LookupError: "expected one strategy'),
    ],
)
def test_a_file_that_cannot_be_loaded_names_the_line(write, text, line, reason):
    file = write("", head=text)
    with pytest.raises(StrategyFailed) as failed:
        own(file)
    assert failed.value.file == str(file)
    assert reason.replace('"', "").split(":")[0] in failed.value.reason
    if line is not None:
        assert failed.value.line == line


@pytest.mark.slow
def test_a_file_that_never_ends_loading_names_the_line(write):
    file = write("", head="while True:\n    pass\n")
    with pytest.raises(StrategyFailed) as failed:
        own(file, SHORT)
    assert failed.value.file == str(file)
    assert failed.value.line in (1, 2)
    assert failed.value.reason == "it took longer than 8 s"


def test_the_next_run_starts_afresh_after_a_failure(write):
    body = "        if len(candles) == 300: os._exit(1)\n        return candles.close * 0\n"
    with own(write(body)) as strategy:
        with pytest.raises(StrategyFailed):
            strategy.process_data(CANDLES)
        assert len(strategy.process_data(CANDLES.first(299))) == 299


def test_the_next_run_after_a_failure_is_not_one_of_other_code(write):
    fails = "        if len(candles) == 300: os._exit(1)\n        return candles.close * 0\n"
    with own(write(fails)) as strategy:
        with pytest.raises(StrategyFailed):
            strategy.process_data(CANDLES)
        write()
        with pytest.raises(StrategyFailed, match="its code was changed since it was opened"):
            strategy.process_data(CANDLES)


@pytest.mark.slow
def test_nothing_is_left_of_a_process_that_started_others(write, tmp_path):
    note = tmp_path / "grandchild"
    body = (
        "        other = subprocess.Popen(['sleep', '61.5'])\n"
        f"        open({str(note)!r}, 'w').write(str(other.pid))\n"
        "        os._exit(1)\n"
    )
    failed = failure(write(body))
    assert "it called os._exit(1)" in failed.reason
    started = int(note.read_text())
    until(lambda: not is_running(started), f"process {started} is left behind")


def is_running(process_id):
    """Whether a process is there; one that nobody has buried yet is gone."""
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_sees_no_address_and_no_key(write, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    body = "        raise ValueError(sorted(os.environ))\n"
    reason = failure(write(body)).reason
    assert "PATH" in reason
    assert "DATABASE_URL" not in reason
    assert "SECRET" not in reason


def test_an_own_strategy_closes_all_its_files(write):
    count = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with own(write()) as strategy:
            strategy.process_data(CANDLES)
    assert len(list(Path("/proc/self/fd").iterdir())) <= count


@pytest.mark.slow
def test_a_year_of_minutes_goes_through_the_pipes_with_less_than_a_second_of_work(write):
    year = made_up(525_600, Timeframe.M1)
    with own(write(), Limits()) as strategy:
        strategy.process_data(CANDLES)
        before_s = spent_with_children_s()
        assert len(strategy.process_data(year)) == len(year)
        assert spent_with_children_s() - before_s < 1
