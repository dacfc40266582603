"""Old equity is thinned: ends of hours and days stay, and so does the deepest fall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bots.models import BotPerformance
from bots.thinning import EVERY_CANDLE_DAYS, HOURS_DAYS, thin_performance
from tests.bots.people import make_bot, make_person
from tests.bots.rows import begin

NOW = datetime(2026, 6, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot(settings):
    settings.EXCHANGE = "okx-sim"
    return begin(make_bot(make_person()))


def store(bot, times, falls=None):
    falls = falls or {}
    BotPerformance.objects.bulk_create(
        BotPerformance(
            bot=bot,
            run=bot.run,
            time=time,
            equity=1000,
            cash=1000,
            position=0,
            price=1,
            drawdown=falls.get(time, 0.0),
        )
        for time in times
    )


def kept(bot):
    return list(
        BotPerformance.objects.filter(bot=bot).order_by("time").values_list("time", flat=True)
    )


def quarters(start, count):
    """Return closes of candles of a quarter of an hour."""
    return [start + timedelta(minutes=15 * number) for number in range(1, count + 1)]


def test_young_equity_is_kept_whole(bot):
    times = quarters(NOW - timedelta(days=EVERY_CANDLE_DAYS), 96)
    store(bot, [*times, NOW])

    assert thin_performance() == 0
    assert kept(bot) == [*times, NOW]


def test_of_an_older_hour_its_end_and_its_deepest_fall_stay(bot):
    hour = NOW - timedelta(days=EVERY_CANDLE_DAYS + 2)
    times = quarters(hour, 8)
    store(bot, [*times, NOW], {times[1]: 0.3})

    # Of the second hour nothing fell: its first row stands for that.
    assert thin_performance() == 4
    assert kept(bot) == [times[1], times[3], times[4], times[7], NOW]
    assert thin_performance() == 0


def test_of_an_old_day_its_end_and_its_deepest_fall_stay(bot):
    day = NOW - timedelta(days=HOURS_DAYS + 3)
    times = quarters(day, 96)
    store(bot, [*times, NOW], {times[40]: 0.5})

    thin_performance()

    assert kept(bot) == [times[40], times[-1], NOW]
    assert times[-1] == day + timedelta(days=1)


def test_each_bot_is_thinned_by_its_own_newest_row(bot):
    other = begin(make_bot(bot.owner, "another"))
    times = quarters(NOW - timedelta(days=EVERY_CANDLE_DAYS + 2), 4)
    store(bot, [*times, NOW])
    store(other, times)

    thin_performance()

    assert len(kept(bot)) == 3
    assert kept(other) == times
