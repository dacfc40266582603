"""Strategies that take long, or are asked by others: no row is held, and no order to halt waits."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from bots.manager.strategies import own_turn, strategy_of
from bots.models import Bot, BotCommand, BotEvent, ParityReport, Signal
from bots.parity.reporting import make_report
from bots.services import edit_bot, kill_bots
from bots.storage.runs import run_settings
from strategies.catalogue import describe_strategy
from strategies.models import StrategyConfig
from tests.bots.scenes import FREE, at, fills, fresh, place, running, running_copy, trader
from tests.bots.stepping import make_trader, started, step
from tests.bots.stories import feed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

SLOW = '''
import time
from pathlib import Path
import numpy as np
from strategies.domain.base import BaseStrategy

FLAG = Path(__file__).with_name("flag")


def wait():
    if FLAG.exists():
        time.sleep(6)


class Slow(BaseStrategy):
    """Long above 100; slow while a file is there."""

    key, title, source = "slow", "Slow", "a test"

    @property
    def warmup(self):
        wait()
        return 1

    def process_data(self, candles):
        wait()
        return np.where(candles.close > 100, 1.0, 0.0)
'''


@pytest.fixture
def flag(settings, tmp_path):
    """The file that makes the own strategy slow."""
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path / "flag"


@pytest.fixture
def _impatient(market):
    """A session like those of workers: it is ended when it rests in a transaction for 5 s."""
    with connection.cursor() as cursor:
        cursor.execute("set idle_in_transaction_session_timeout = '5s'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("set idle_in_transaction_session_timeout = 0")


def far_behind(bot):
    """Let a bot do 200 minutes, and return one of its group that stands where it stood."""
    kernel, cursor = fresh(bot).kernel, bot.cursor
    feed(bot.instrument, *[100, 101] * 100, start=4)
    step(bot.instrument)
    assert len(fills(bot)) > 90
    return running_copy(bot, kernel, cursor)


def own_bot(market):
    feed(market, 100, 100, 100)
    bot = make_trader(market, {}, strategy="own:slow", name="own", trading=FREE)
    started(bot, at_ms=at(3))
    feed(market, 100, start=3)
    step(market)
    return fresh(bot)


@contextmanager
def asked_by_another(bot):
    """Let another thread ask a bot's strategy for as long as the block lasts."""
    run_id = fresh(bot).run_id
    group = run_settings([run_id])[run_id].group
    is_held, may_go = threading.Event(), threading.Event()

    def ask():
        with strategy_of(group):
            is_held.set()
            may_go.wait(100)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        assert is_held.wait(30)
        yield
    finally:
        may_go.set()
        thread.join(30)


@pytest.mark.slow
@pytest.mark.usefixtures("_impatient")
def test_a_bot_that_lags_catches_up_with_a_strategy_slower_than_a_transaction_may_rest(
    market, flag
):
    bot = own_bot(market)
    late = far_behind(bot)
    flag.touch()
    step(market)
    assert (fresh(late).state, place(late)) == ("running", (204, 0))
    assert fills(late) == fills(bot)


def test_a_bot_that_lags_is_left_to_the_next_step_while_another_thread_asks_its_strategy(market):
    bot = running(market)
    late = far_behind(bot)
    with asked_by_another(bot):
        step(market)
        assert (fresh(late).state, place(late)) == ("running", (4, 0))
    step(market)
    assert place(late) == (204, 0)
    assert fills(late) == fills(bot)


@pytest.mark.slow
def test_a_bot_that_lags_is_halted_without_its_strategy_and_a_replay_does_the_same(market, flag):
    late = far_behind(own_bot(market))
    BotCommand.objects.give(Bot.objects.filter(pk=late.pk), "halt", "kill switch")
    with asked_by_another(late):
        step(market)
        assert (fresh(late).state, place(late)) == ("halted", (204, 0))
    assert not Signal.objects.filter(bot=late).exists()
    told = BotEvent.objects.get(bot=late, kind=BotEvent.UNDECIDED)
    assert told.details == {"candles": 200, "first_ms": at(5), "last_ms": at(204)}
    report = make_report(late.run_id, ParityReport.Reason.ASKED)
    assert (report.known, report.known_divergence) == ("matched", None)


@pytest.fixture
def own_config():
    code = describe_strategy("own:slow").code_hash
    proof = {"is_proven": True, "proven_at": timezone.now(), "proven_code": code}
    return StrategyConfig.objects.create(name="own", strategy="own:slow", timeframe="1m", **proof)


@pytest.mark.slow
@pytest.mark.usefixtures("_impatient")
def test_an_edited_bot_begins_by_a_strategy_slower_than_a_transaction_may_rest(
    market, flag, own_config
):
    bot = running(market)
    flag.touch()
    edit_bot(bot, {"config": own_config.name}, bot.owner)
    feed(market, 100, start=4)
    step(market)
    assert (fresh(bot).state, bot.run.number, bot.run.strategy) == ("running", 2, "own:slow")


@pytest.mark.slow
def test_a_bot_that_is_edited_to_an_own_strategy_delays_nobody_who_has_none(
    market, flag, own_config
):
    bot = running(market)
    other = started(trader(market, name="other"), at_ms=at(4))
    edit_bot(bot, {"config": own_config.name}, bot.owner)
    feed(market, 100, 100, start=4)
    # As if two threads of this process waited for strategies that do not answer.
    with own_turn(), own_turn():
        step(market)
        assert (fresh(bot).run.number, place(bot)) == (1, (4, 0))
        assert place(other) == (6, 0)
        kill_bots(bot.owner, None)
        step(market)
        assert (fresh(bot).state, bot.run.number) == ("halted", 1)


@pytest.mark.slow
def test_an_edited_bot_whose_new_strategy_cannot_begin_is_put_in_error(market, flag, own_config):
    bot = running(market)
    edit_bot(bot, {"config": own_config.name}, bot.owner)
    flag.with_name("slow.py").write_text(SLOW.replace("return 1", "return 1 / 0"))
    feed(market, 100, start=4)
    step(market)
    assert (fresh(bot).state, bot.run.number) == ("error", 1)
    assert "ZeroDivisionError" in bot.last_error
