"""Backtests of people's own strategies: run like any other, and at worst they end their own run."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backtests.models import Backtest
from backtests.proving import Proven, standing_of
from backtests.requests import BacktestRequest, InvalidBacktest, prepare
from backtests.searches import request_search
from backtests.searching.asking import SearchRequest
from backtests.searching.evaluating import Outdated, Trials
from backtests.services import request_backtest, rerun_backtest
from marketdata.domain.timeframe import Timeframe
from strategies.catalogue import describe_strategy
from strategies.loading import checked
from strategies.proving import prove_config
from strategies.services import create_config
from tcpdashboard.common.jobs.runner import run_job
from tests.backtests.conftest import ASKED
from tests.backtests.search.conftest import GRID

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

HEAD = '''\
"""Mine."""
import os, sys, time
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

    def contradictions(self):
        return {"period": "not on a Friday"} if self.params["period"] == 13 else {}

    def get_indicators(self, candles):
        return {"mean": candles.indicator("sma", period=self.params["period"])["sma"]}

    def process_data(self, candles):
        mean = self.get_indicators(candles)["mean"]
'''
GOOD = "        return np.where(np.isnan(mean), np.nan, np.where(candles.close > mean, 1.0, 0.0))\n"
PEEKS = """\
        later = np.append(candles.close[1:], candles.close[-1])
        return np.where(later > candles.close, 1.0, 0.0)
"""
LINE = HEAD.count("\n") + 1
AT_ONCE = """
    def get_indicators(self, candles):
        return {"mean": candles.close}
"""
PROOF = 4_000
"""A proof looks at more candles than this, a backtest here at fewer."""
LIMITS = {"deadline_s": 30.0, "memory_mb": 300, "output_kb": 64}
SHORT = LIMITS | {"deadline_s": 8.0}
"""For what never ends: whatever else is done within it is a matter of milliseconds."""


@pytest.fixture
def own(tmp_path, settings, btc):
    folder = tmp_path / "strategies"
    folder.mkdir()
    settings.STRATEGIES_DIR = str(folder)
    settings.STRATEGY_LIMITS = LIMITS
    # Within a test's transaction another session, that of the renewal, finds no job.
    settings.JOB_RENEW_SECONDS = 600

    def write(body=GOOD, name="mine"):
        (folder / f"{name}.py").write_text(HEAD + body)
        return f"own:{name}"

    return write


def ask(key, **changes):
    asked = {**ASKED, "strategy": key, "parameters": {"period": 7}, **changes}
    return request_backtest(BacktestRequest(**asked))


def ran(key, **changes):
    backtest = ask(key, **changes)
    run_job(backtest.job_id)
    return Backtest.objects.select_related("job", "instrument").get(pk=backtest.pk)


def test_an_own_strategy_is_backtested_with_its_code_kept(own):
    backtest = ran(own())
    assert backtest.state == "done"
    assert backtest.metrics["round_trips"] > 5
    assert backtest.parameters == {"period": 7}
    assert backtest.source == HEAD + GOOD
    assert rerun_backtest(backtest).differences == {}


def test_code_that_changes_before_it_runs_is_kept_as_it_ran(own):
    backtest = ask(own(PEEKS))
    own()
    assert run_job(backtest.job_id) == "done"
    backtest.refresh_from_db()
    assert (backtest.source, backtest.proof) == (HEAD + GOOD, "passed")
    assert rerun_backtest(backtest).differences == {}


def test_code_that_changes_once_it_was_opened_is_kept_as_it_ran(own, tmp_path):
    # It changes its file itself, at the first moment at which what runs is certain.
    changing = "open(__file__, 'a').write('# changed\\n')\n"
    request = BacktestRequest(**{**ASKED, "strategy": own(GOOD + changing), "parameters": {}})
    file = tmp_path / "strategies" / "mine.py"
    written = file.read_text()
    with prepare(request) as prepared:
        assert file.read_text() == written + "# changed\n"
        assert prepared.source == written
        assert prepared.source_hash == hashlib.sha256(written.encode()).hexdigest()


def test_a_trial_is_not_run_with_other_code_than_the_search(own):
    asked = {**GRID, "strategy": own(), "space": {"period": {"values": [5, 7]}}}
    search = request_search(SearchRequest(**asked))
    trials = Trials(search)
    span = (ASKED["start_ms"], ASKED["end_ms"])
    assert trials.outcomes([{"period": 5}], span, lambda: None)[0].state == "done"
    own(PEEKS)
    with pytest.raises(Outdated, match="the code of own:mine changed"):
        trials.outcomes([{"period": 5}], span, lambda: None)
    # Back again when it is looked at, which is too late for what ran meanwhile.
    own()
    trials.check_code()


def test_a_search_whose_code_changes_ends_with_the_reason(own):
    asked = {**GRID, "strategy": own(), "space": {"period": {"values": [5, 7]}}}
    search = request_search(SearchRequest(**asked))
    own(PEEKS)
    assert run_job(search.jobs.get().pk) == "failed"
    search.refresh_from_db()
    assert "the code of own:mine changed since the search began" in search.error
    assert not search.trials.exists()


def test_a_search_whose_code_is_gone_ends_with_the_reason(own, settings):
    asked = {**GRID, "strategy": own(), "space": {"period": {"values": [5, 7]}}}
    search = request_search(SearchRequest(**asked))
    (Path(settings.STRATEGIES_DIR) / "mine.py").unlink()
    assert run_job(search.jobs.get().pk) == "failed"
    search.refresh_from_db()
    assert "there is no strategy 'own:mine'" in search.error
    assert not search.trials.exists()


def test_a_run_is_judged_by_the_code_that_ran_not_by_what_was_proven_since(own):
    key = own(PEEKS)
    draft = checked({"name": "c", "strategy": key, "timeframe": "5m", "params": {"period": 7}})
    config = create_config(None, draft)
    old = describe_strategy(key).code_hash
    own()
    assert prove_config(config).is_passed
    config.refresh_from_db()
    ran_with = Proven(key, {"period": 7}, Timeframe.M5, old, config)
    # The file is another by now: what is known of it says nothing about that run.
    assert standing_of(ran_with).state == "unproven"
    assert "its code was changed while it ran" in standing_of(ran_with).badge
    assert standing_of(replace(ran_with, source_hash=config.proven_code)).proofs == config.proofs


def test_its_proof_is_made_once_with_the_first_run(own, tmp_path):
    note = tmp_path / "note"
    counting = f"        with open({str(note)!r}, 'a') as note: print(len(candles), file=note)\n"
    first = ran(own(counting + GOOD))
    assert (first.proof, first.badges) == ("passed", [])
    assert {proof["name"] for proof in first.proofs} == {"look_ahead", "warmup"}
    looks = looked_at(note)
    assert sum(candles > PROOF for candles in looks) > 0
    assert ran(own(counting + GOOD)).proofs == first.proofs
    assert looked_at(note)[len(looks) :] == [looks[0]], "the run itself"


def looked_at(note):
    """Return how many candles a strategy was given each time."""
    return [int(line) for line in note.read_text().splitlines()]


def test_one_that_looks_ahead_carries_a_red_badge(own):
    backtest = ran(own(PEEKS))
    assert backtest.proof == "failed"
    assert backtest.badges[0].startswith("strategy fails its look-ahead proof: ")


def test_one_that_cannot_be_proven_in_time_says_so(own, settings):
    settings.STRATEGY_LIMITS = SHORT
    body = f"        if len(candles) > {PROOF}: time.sleep(600)\n        return candles.close * 0\n"
    backtest = ran(own(body + AT_ONCE))
    assert (backtest.state, backtest.proof) == ("done", "unproven")
    assert "strategy is not proven" in backtest.badges[0]
    assert "took longer than 8 s" in backtest.badges[0]


def test_a_built_in_one_counts_as_proven(own):
    backtest = ran("ema_crossover", parameters={"fast": 3, "slow": 9})
    assert (backtest.proof, backtest.badges, backtest.source) == ("passed", [], "")


def test_the_verdict_on_a_configuration_counts_for_its_runs(own):
    key = own(PEEKS)
    draft = checked({"name": "a", "strategy": key, "timeframe": "5m", "params": {"period": 7}})
    config = create_config(None, draft)
    prove_config(config)
    span = {name: ASKED[name] for name in ("exchange", "symbol", "start_ms", "end_ms")}
    backtest = request_backtest(BacktestRequest.of_config(config, **span))
    config.refresh_from_db()
    assert config.used_at is not None
    assert run_job(backtest.job_id) == "done"
    backtest.refresh_from_db()
    assert (backtest.config, backtest.proof) == (config, "failed")
    assert backtest.proofs == config.proofs


def test_a_built_in_one_whose_configuration_fails_its_proofs_carries_a_red_badge(btc):
    far_out = {"period": 200, "oversold": 1, "overbought": 99}
    draft = checked({"name": "b", "strategy": "rsi", "timeframe": "5m", "params": far_out})
    config = create_config(None, draft)
    assert not prove_config(config).is_passed
    span = {name: ASKED[name] for name in ("exchange", "symbol", "start_ms", "end_ms")}
    backtest = request_backtest(BacktestRequest.of_config(config, **span))
    assert run_job(backtest.job_id) == "done"
    backtest.refresh_from_db()
    assert backtest.proof == "failed"
    assert backtest.badges[0].startswith("strategy fails its look-ahead proof: ")


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("        return np.ones(600_000_000)\n", LINE, "it needs more than 300 MB"),
        ("        while True: print('x' * 1000)\n", LINE, "it printed more than 64 kB"),
        ("        while True: os.write(1, b'x' * 100_000)\n", None, "too much to its output"),
        ("        os._exit(3)\n", LINE, "it called os._exit(3)"),
        ("        sys.exit('enough')\n", LINE, "SystemExit: enough"),
        ("        return mean / 0 + undefined\n", LINE, "NameError"),
        ("        return mean[:-1]\n", None, "expected one value for each"),
        ("        return mean * 9\n", None, "expected targets from -1 to 1"),
    ],
)
def test_whatever_one_does_ends_its_own_run_with_a_reason(own, body, line, reason):
    before = pythons()
    backtest = ran(own(body))
    assert (backtest.state, backtest.result_hash) == ("failed", "")
    assert reason in backtest.error
    assert line is None or f"mine.py, line {line}: " in backtest.error
    assert pythons() <= before, "something is left behind"
    assert ran("ema_crossover", parameters={"fast": 3, "slow": 9}).state == "done"


def test_one_that_never_ends_ends_its_own_run_with_a_reason(own, settings):
    settings.STRATEGY_LIMITS = SHORT
    before = pythons()
    backtest = ran(own("        while True: pass\n"))
    assert (backtest.state, backtest.result_hash) == ("failed", "")
    assert f"mine.py, line {LINE}: " in backtest.error
    assert "took longer than 8 s" in backtest.error
    assert pythons() <= before, "something is left behind"


def pythons():
    """Return the processes of Python that this one has started and not ended."""
    return {child for child in psutil.Process().children() if "python" in child.name()}


def test_one_that_cannot_be_loaded_is_refused_when_it_is_asked_for(own):
    with pytest.raises(InvalidBacktest) as refused:
        ask(own("        return (\n"))
    assert set(refused.value.errors) == {"strategy"}
    assert "mine.py, line" in refused.value.errors["strategy"]
    assert not Backtest.objects.exists()


def test_parameters_of_an_own_strategy_are_checked_by_name(own):
    for parameters, reason in (({"period": 1}, "2"), ({"period": 13}, "not on a Friday")):
        with pytest.raises(InvalidBacktest) as refused:
            ask(own(), parameters=parameters)
        assert list(refused.value.errors) == ["parameters.period"]
        assert reason in refused.value.errors["parameters.period"]
