"""A quiet market is no dead channel, and a dead channel no quiet market."""

from __future__ import annotations

from marketdata.collector.watchdog import KINDS, Activity, InstrumentWatch


def verdicts(watch: InstrumentWatch, seconds: range, **each_second: int) -> list[str]:
    """Look once a second while the named counters grow; return the channels found dead."""
    found = []
    for second in seconds:
        counters = {name: second * step for name, step in each_second.items()}
        found += watch.dead(Activity(**counters), float(second))
    return found


def test_a_market_in_which_nothing_happens_is_not_dead():
    assert verdicts(InstrumentWatch(30, 180), range(1, 170)) == []


def test_channels_that_all_speak_are_alive():
    found = verdicts(
        InstrumentWatch(30, 180), range(600), trades=3, candles=1, tickers=2, volume_changes=1
    )

    assert found == []


def test_trades_are_dead_when_candles_show_volume_for_long_enough():
    watch = InstrumentWatch(30, 180)

    assert verdicts(watch, range(31), candles=1, tickers=2, volume_changes=1) == []
    assert verdicts(watch, range(31, 34), candles=1, tickers=2, volume_changes=1) == ["trades"]


def test_one_late_candle_push_is_no_evidence():
    watch = InstrumentWatch(30, 1_000)
    for second in range(300):
        pushes = 1 if second < 5 else 2
        activity = Activity(trades=1, candles=pushes, volume_changes=pushes)
        assert watch.dead(activity, float(second)) == []


def test_tickers_and_candles_are_dead_when_trades_go_on_without_them():
    found = verdicts(InstrumentWatch(30, 180), range(40), trades=5)

    assert sorted(found) == ["candles", "tickers"]


def test_books_are_dead_when_trades_go_on_without_them():
    watch, found = InstrumentWatch(30, 180), []
    for second in range(40):
        activity = Activity(trades=second, candles=second, tickers=second)
        found += watch.dead(activity, float(second), (*KINDS, "books"))
    assert found == ["books"]
    assert verdicts(InstrumentWatch(30, 180), range(40), trades=1, candles=1, tickers=1) == []


def test_a_candle_channel_must_push_every_minute_even_without_trades():
    assert verdicts(InstrumentWatch(30, 180), range(1, 182)) == ["candles"]


def test_a_channel_that_stays_dead_is_accused_more_and_more_rarely():
    found = verdicts(InstrumentWatch(30, 10_000), range(1_000), trades=5, candles=1)

    # After 30 s, then 15, 30, 60, 120, 240 and 480 more.
    assert found == ["tickers"] * 7


def test_a_second_verdict_takes_half_as_long():
    watch = InstrumentWatch(30, 10_000)

    assert verdicts(watch, range(33), trades=5, candles=1) == ["tickers"]
    assert verdicts(watch, range(33, 49), trades=5, candles=1) == ["tickers"]
    assert watch.channels["tickers"].verdicts == 2


def test_nothing_is_expected_of_a_channel_that_is_not_subscribed():
    watch = InstrumentWatch(30, 180)
    for second in range(500):
        activity = Activity(trades=5 * second, candles=second, volume_changes=second)
        assert watch.dead(activity, float(second), ["trades", "candles"]) == []


def test_a_channel_that_spoke_again_is_watched_as_closely_as_before():
    watch = InstrumentWatch(30, 10_000)
    verdicts(watch, range(100), trades=5, candles=1)
    watch.dead(Activity(trades=500, candles=100, tickers=1), 100.0)
    found = []
    for second in range(101, 135):
        activity = Activity(trades=5 * second, candles=second, tickers=1)
        found += watch.dead(activity, float(second))

    assert found == ["tickers"]


def test_ages_tell_when_each_channel_was_last_heard():
    watch = InstrumentWatch(30, 180)
    assert watch.ages_s(0.0)["trades"] is None
    verdicts(watch, range(11), trades=1)

    assert watch.ages_s(12.0) == {"trades": 2.0, "candles": 12.0, "tickers": 12.0, "books": None}
