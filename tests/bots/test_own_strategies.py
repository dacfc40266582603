"""Steps of bots whose strategy is somebody's own: its code runs in another process."""

from __future__ import annotations

import pytest

from bots.manager.strategies import own_turn
from bots.models import Bot, BotCommand, Signal
from tests.bots.scenes import FREE, at, fed, fills, fresh, place, trader
from tests.bots.stepping import make_trader, started, step
from tests.bots.stories import feed

pytestmark = pytest.mark.django_db


OWN = '''
import numpy as np
from strategies.domain.base import BaseStrategy


class Mine(BaseStrategy):
    """Long above 100; it fails above 150."""

    key, title, source = "mine", "My own", "myself"

    @property
    def warmup(self):
        return 1

    def process_data(self, candles):
        last = candles.close[-1] if len(candles) else 0.0
        if last > 150:
            raise RuntimeError("too dear")
        return np.where(candles.close > 100, 1.0, 0.0)

    def get_indicators(self, candles):
        return {"price": candles.close}
'''


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_own_strategy_decides_in_its_process_and_stops_only_its_bot(market, settings, tmp_path):
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    feed(market, 100, 100, 100)
    own = started(
        make_trader(market, {}, strategy="own:mine", name="own", trading=FREE), at_ms=at(3)
    )
    good = started(trader(market), at_ms=at(3))
    feed(market, 100, 101, 102, start=3)
    step(market)
    assert fills(own) == [(5, 9, 101)]
    assert Signal.objects.filter(bot=own).latest("time").why in ({}, {"price": 101.0})
    feed(market, 160, start=6, before=102)
    step(market)
    assert (fresh(own).state, place(own)[0]) == ("error", 6)
    assert "too dear" in own.last_error
    assert (fresh(good).state, place(good)) == ("running", (7, 0))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_own_strategies_that_hang_delay_neither_others_nor_the_kill_switch(
    market, settings, tmp_path
):
    settings.STRATEGIES_DIR = str(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    feed(market, 100, 100, 100)
    killed, waiting = (
        started(make_trader(market, {}, strategy="own:mine", name=name, trading=FREE), at_ms=at(3))
        for name in ("killed", "waiting")
    )
    good = started(trader(market), at_ms=at(3))
    feed(market, 100, 101, 102, start=3)
    step(market)
    assert [fills(bot) for bot in (killed, waiting)] == [[(5, 9, 101)]] * 2
    feed(market, 103, start=6, before=102)
    fed(market, 107.0)
    BotCommand.objects.give(Bot.objects.filter(pk=killed.pk), "halt", "kill switch")
    # As if two threads of this process waited for strategies that do not answer.
    with own_turn() as first, own_turn() as second:
        assert (first, second) == (True, True)
        step(market)
    assert (fresh(killed).state, fills(killed)[1]) == ("halted", (6, -9, 107))
    assert (fresh(waiting).state, place(waiting)) == ("running", (6, 0))
    assert (fresh(good).state, place(good)) == ("running", (7, 0))
    step(market)
    assert place(waiting) == (7, 0)
