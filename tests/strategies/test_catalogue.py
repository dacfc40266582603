"""Built-in and own strategies, found under one list of keys."""

import os

import numpy as np
import pytest

from marketdata.domain.timeframe import Timeframe
from strategies.catalogue import (
    describe_all,
    describe_strategy,
    keys,
    make_strategy,
    opened,
    prove_strategy,
)
from strategies.domain.checks import candles_wanted
from strategies.domain.errors import InvalidParameters, StrategyFailed, UnknownStrategy
from strategies.domain.markets import made_up
from strategies.domain.registry import STRATEGIES


def test_files_of_the_folder_are_strategies_but_for_tests_and_private_ones(own_folder):
    (own_folder / "test_mine.py").write_text("")
    assert keys() == [*STRATEGIES, "own:broken", "own:mine"]


def test_without_a_folder_there_are_the_built_in_ones():
    assert keys() == list(STRATEGIES)


def test_a_dotted_path_of_the_settings_is_a_key(settings):
    path = "strategies.domain.builtin.rsi:Rsi"
    settings.STRATEGIES = [path]
    told = describe_strategy(path)
    assert (told.key, told.title, told.has_steps) == (path, "RSI reversal", True)
    assert [each.name for each in told.parameters][:2] == ["period", "oversold"]


def test_a_path_that_the_settings_do_not_list_is_unknown():
    with pytest.raises(UnknownStrategy, match="there is no strategy 'os:path'"):
        make_strategy("os:path")


def test_a_strategy_that_cannot_be_loaded_hides_no_other(own_folder):
    told = dict(describe_all())
    assert isinstance(told["own:broken"], StrategyFailed)
    assert str(told["own:broken"]).startswith(f"{own_folder / 'broken.py'}, line 2: SyntaxError")
    assert told["own:mine"].title == "My own"
    assert told["rsi"].title == "RSI reversal"


def test_a_changed_file_is_read_again(own_folder):
    before = describe_strategy("own:mine")
    assert describe_strategy("own:mine") is before
    file = own_folder / "mine.py"
    file.write_text(file.read_text().replace("My own", "Another"))
    os.utime(file, (1, 1))
    after = describe_strategy("own:mine")
    assert after.title == "Another"
    assert after.code_hash != before.code_hash


def test_a_changed_module_of_a_dotted_path_is_read_again(own_folder, settings):
    settings.STRATEGIES = ["mine:Mine"]
    before = describe_strategy("mine:Mine")
    assert describe_strategy("mine:Mine") is before
    file = own_folder / "mine.py"
    file.write_text(file.read_text().replace("My own", "Another"))
    os.utime(file, (1, 1))
    after = describe_strategy("mine:Mine")
    assert after.title == "Another"
    assert after.code_hash != before.code_hash


def test_a_strategy_that_cannot_be_loaded_is_not_tried_at_every_look(own_folder, settings):
    note = own_folder / "note"
    counting = f"with open({str(note)!r}, 'a') as note: print('tried', file=note)\n"
    (own_folder / "broken.py").write_text(f"{counting}while True: pass")
    settings.STRATEGY_LIMITS = settings.STRATEGY_LIMITS | {"deadline_s": 8.0}
    for _ in range(2):
        with pytest.raises(StrategyFailed, match="line 2: it took longer than 8 s"):
            describe_strategy("own:broken")
    assert note.read_text() == "tried\n"


def test_an_own_strategy_is_made_and_proven_like_a_built_in_one(own_folder):
    for key in ("own:mine", "bollinger_breakout"):
        with opened(key, {"period": 7}, "5m") as strategy:
            assert strategy.params["period"] == 7
            candles = made_up(candles_wanted(strategy.warmup), Timeframe.M5)
            assert (~np.isnan(strategy.process_data(candles))).any()
            assert all(proof.is_passed for proof in prove_strategy(strategy, candles))


def test_wrong_parameters_are_refused_alike(own_folder):
    for key in ("own:mine", "bollinger_breakout"):
        with pytest.raises(InvalidParameters) as refused:
            make_strategy(key, {"period": 10_000})
        assert set(refused.value.errors) == {"period"}


def test_an_unknown_own_strategy_is_answered_with_the_nearest(own_folder):
    with pytest.raises(UnknownStrategy, match="did you mean 'own:mine'"):
        describe_strategy("own:mne")
