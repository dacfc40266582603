"""Where a chart draws the indicators of a run."""

from __future__ import annotations

import numpy as np

from backtests.charts.price import Places, Seen, place_indicators

CLOSES = np.array([50.0, 52.0, 49.0, 51.0])
NEAR = np.array([np.nan, 55.0, 45.0, 50.0])
FAR = np.array([np.nan, -2.0, 1.0, 0.5])


def places(indicators, **panes):
    return place_indicators(Seen(np.arange(4), CLOSES, indicators, panes))


def test_a_strategy_says_what_lies_over_the_price_whatever_the_values():
    told = places({"rsi": NEAR, "mean": FAR}, rsi="rsi", mean="price")
    assert told == Places(overlays=("mean",), panes=(("rsi",),))


def test_indicators_of_one_name_share_a_pane():
    told = places({"macd": FAR, "rsi": NEAR, "signal": FAR * 1000}, macd="a", rsi="b", signal="a")
    assert told == Places((), (("macd", "signal"), ("rsi",)))


def test_what_it_says_nothing_of_is_placed_by_its_values():
    told = places({"mean": NEAR, "spread": FAR, "slope": FAR * 2, "volume": FAR * 1e6})
    assert told == Places(("mean",), (("spread", "slope"), ("volume",)))


def test_the_price_itself_and_what_is_never_known_are_left_out():
    nothing = np.full(4, np.nan)
    assert places({"close": CLOSES, "late": nothing}, close="price", late="x") == Places((), ())


def test_beyond_three_panes_the_rest_shares_the_last():
    names = ("one", "two", "three", "four", "five")
    told = places(dict.fromkeys(names, FAR), **{name: name for name in names})
    assert told.panes == (("one",), ("two",), ("three", "four", "five"))
