"""What bots are worth at each close, written for many of them at once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bots.manager.advancing import Advance
from bots.manager.groups import advance_groups
from bots.manager.view import InstrumentView
from bots.models import BotPerformance
from bots.recorder.worth import fall, write_performance
from bots.storage.rows import take_bots
from bots.storage.runs import run_settings
from tests.bots.scenes import at, running
from tests.bots.stories import feed


@pytest.mark.django_db
def test_bots_that_count_in_other_units_are_not_written_together(market):
    bot = running(market)
    feed(market, 100, 101, start=4, before=100)
    run = run_settings([bot.run_id])[bot.run_id]
    view = InstrumentView(market)
    advance = Advance(view, view.line(at(4)), advance_groups(view, [run.group]), frozenset())
    (taken,) = take_bots([bot.pk])
    one = advance.outcome(taken, run, [], 100)
    finer = replace(run, units=replace(run.units, tick=run.units.tick / Decimal(10)))
    before = BotPerformance.objects.count()
    with pytest.raises(ValueError, match="too many values"):
        write_performance([one, replace(one, run=finer)])
    assert BotPerformance.objects.count() == before


@pytest.mark.parametrize(
    ("equity", "peak", "share"), [(75, 100, 0.25), (100, 100, 0.0), (-50, 100, 1.5), (0, 0, 0.0)]
)
def test_a_drawdown_is_a_share_of_the_highest_equity(equity, peak, share):
    assert fall(equity, peak) == share
