"""Candle boundaries."""

from __future__ import annotations

import pytest

from marketdata.domain.errors import InvalidTimeframe
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, Timeframe, parse_timeframe
from tests.marketdata.domain.builders import at


@pytest.mark.parametrize(
    ("name", "open_time", "close_time"),
    [
        ("1m", "13:37:00", "13:38:00"),
        ("5m", "13:35:00", "13:40:00"),
        ("15m", "13:30:00", "13:45:00"),
        ("1h", "13:00:00", "14:00:00"),
        ("4h", "12:00:00", "16:00:00"),
        ("1d", "00:00:00", "24:00:00"),
    ],
)
def test_a_candle_covers_a_time_from_its_open_up_to_its_close(name, open_time, close_time):
    timeframe = parse_timeframe(name)

    assert timeframe.open_time(at("13:37:12.345")) == at(open_time)
    assert timeframe.close_time(at(open_time)) == at(close_time)
    assert timeframe.open_time(at(close_time)) == at(close_time)
    assert timeframe.open_time(at(close_time) - 1) == at(open_time)


def test_every_timeframe_divides_the_next_one():
    for shorter, longer in zip(Timeframe, HIGHER_TIMEFRAMES, strict=False):
        assert longer.minutes % shorter.minutes == 0


def test_an_unknown_timeframe_is_refused_with_the_choices():
    with pytest.raises(InvalidTimeframe, match="expected one of 1m, 5m, 15m, 1h, 4h, 1d; was '1x'"):
        parse_timeframe("1x")
