"""A stream of trades becomes minutes: section 1 of the trading rules as small tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marketdata.domain.errors import BufferFull
from marketdata.domain.events import Emission, Hole, HoleCause, Resume
from marketdata.domain.records import Opening, Source, Trades, empty_trades
from marketdata.domain.stream import InstrumentStream
from tests.marketdata.domain.builders import BTC, SWAP, at, table, trades

TRADES, FLAT = Source.TRADES, Source.FLAT


def resumed_at(last_id: int, time: str, *, close: float = 100.0, **more) -> InstrumentStream:
    """Return a stream whose store holds everything up to a trade, connected a second later."""
    minute = at(time) // 60_000 * 60_000
    resume = Resume(last_id, at(time), close, minute, more.pop("open_trades", empty_trades()))
    return InstrumentStream(BTC, resume, at(time) + 1000, **more)


def live_at(last_id: int, time: str, *, close: float = 100.0, **more) -> InstrumentStream:
    """Return a stream as `resumed_at` that has been shown to have missed nothing."""
    stream = resumed_at(last_id, time, close=close, **more)
    stream.live(trades((last_id, time, close, 1.0)))
    return stream


def ids(emission: Emission) -> list[int]:
    return emission.trades["trade_id"].tolist()


def closed(emission: Emission) -> list[tuple]:
    return table(emission.minutes, "open_time_ms", "close", "volume", "source", "minutes")


# Closing


def test_a_minute_closes_when_a_contiguous_trade_of_a_later_minute_arrives():
    stream = live_at(10, "10:00:59")

    first = stream.live(trades((11, "10:01:00", 101.0, 1.0), (12, "10:01:59.999", 102.0, 2.0)))
    second = stream.live(trades((13, "10:02:00", 103.0, 1.0)))

    assert (ids(first), closed(first)) == ([11, 12], [])
    assert closed(second) == [(at("10:01:00"), 102.0, 3.0, TRADES, 1)]
    assert second.minutes["closed_at_ms"].tolist() == [at("10:02:00")]


def test_a_minute_closes_five_seconds_after_its_end():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 1.0)))

    assert closed(stream.tick(at("10:02:04.999"))) == []
    emission = stream.tick(at("10:02:05"))

    assert closed(emission) == [(at("10:01:00"), 101.0, 1.0, TRADES, 1)]
    assert emission.minutes["closed_at_ms"].tolist() == [at("10:02:05")]
    assert closed(stream.tick(at("10:02:06"))) == []


def test_a_minute_closes_at_once_when_the_exchange_confirms_the_same_volume():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 0.1), (12, "10:01:31", 101.0, 0.2)))

    emission = stream.confirm(at("10:01:00"), 0.3, at("10:02:03"))

    assert closed(emission) == [(at("10:01:00"), 101.0, 0.3, TRADES, 1)]


def test_a_confirm_with_another_volume_waits_for_the_missing_trade():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 0.1)))

    assert closed(stream.confirm(at("10:01:00"), 0.3, at("10:02:03"))) == []
    stream.live(trades((12, "10:01:31", 102.0, 0.2)))

    assert closed(stream.tick(at("10:02:05"))) == [(at("10:01:00"), 102.0, 0.3, TRADES, 1)]


def test_a_confirm_is_compared_in_base_currency_for_swaps():
    resume = Resume(10, at("10:00:59"), 100.0, at("10:00:00"))
    stream = InstrumentStream(SWAP, resume, at("10:01:00"))
    stream.live(trades((11, "10:01:30", 101.0, 7.0)))

    emission = stream.confirm(at("10:01:00"), 0.07, at("10:02:03"))

    assert closed(emission) == [(at("10:01:00"), 101.0, 0.07, TRADES, 1)]


def test_a_minute_opens_with_the_opening_of_its_first_trade():
    stream = live_at(10, "10:00:59")

    first = stream.live(trades((11, "10:01:00.5", 101.0, 1.0), (12, "10:01:01", 102.0, 1.0)))
    second = stream.live(trades((13, "10:01:02", 103.0, 1.0), (14, "10:02:00", 104.0, 1.0)))

    assert first.openings == (Opening(at("10:01:00"), 101.0, 11, at("10:01:00.5")),)
    assert second.openings == (Opening(at("10:02:00"), 104.0, 14, at("10:02:00")),)


# Quiet minutes


def test_a_minute_without_trades_is_flat_when_the_feed_was_live_all_through_it():
    stream = live_at(10, "10:00:59", close=100.0)

    emission = stream.tick(at("10:03:05"))

    assert closed(emission) == [
        (at("10:01:00"), 100.0, 0.0, FLAT, 1),
        (at("10:02:00"), 100.0, 0.0, FLAT, 1),
    ]


def test_contiguous_ids_prove_that_the_minutes_between_were_flat():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 1.0)))

    emission = stream.live(trades((12, "10:04:00", 105.0, 1.0)))

    assert closed(emission) == [
        (at("10:01:00"), 101.0, 1.0, TRADES, 1),
        (at("10:02:00"), 101.0, 0.0, FLAT, 1),
        (at("10:03:00"), 101.0, 0.0, FLAT, 1),
    ]


def test_a_confirm_of_no_volume_closes_a_quiet_minute():
    stream = live_at(10, "10:00:59", close=100.0)

    emission = stream.confirm(at("10:01:00"), 0.0, at("10:02:03"))

    assert closed(emission) == [(at("10:01:00"), 100.0, 0.0, FLAT, 1)]


def test_an_outage_closes_nothing_until_a_trade_shows_what_was_missed():
    stream = live_at(10, "10:00:59")
    stream.disconnected()
    assert closed(stream.tick(at("10:03:05"))) == []
    stream.connected(at("10:03:10"))
    assert closed(stream.tick(at("10:04:05"))) == []

    nothing_missed = stream.live(trades((10, "10:00:59", 100.0, 1.0)))

    assert (ids(nothing_missed), closed(nothing_missed)) == ([], [])
    assert closed(stream.tick(at("10:04:06"))) == [
        (at("10:01:00"), 100.0, 0.0, FLAT, 1),
        (at("10:02:00"), 100.0, 0.0, FLAT, 1),
        (at("10:03:00"), 100.0, 0.0, FLAT, 1),
    ]


def test_an_older_trade_after_a_reconnect_shows_nothing():
    stream = live_at(10, "10:00:59")
    stream.disconnected()
    stream.connected(at("10:03:10"))

    stream.live(trades((9, "10:00:58", 100.0, 1.0)))

    assert not stream.is_proven
    assert closed(stream.tick(at("10:05:05"))) == []


def test_minutes_of_an_outage_are_never_flat_when_their_trades_are_given_up():
    stream = live_at(10, "10:00:59", close=100.0)
    stream.live(trades((11, "10:01:30", 101.0, 1.0)))
    stream.disconnected()
    stream.connected(at("10:04:10"))
    opened = stream.live(trades((20, "10:04:20", 104.0, 1.0))).opened
    assert [hole.cause for hole in opened] == [HoleCause.OUTAGE]

    given_up = stream.give_up(opened[0], at("10:04:50"))
    later = stream.live(trades((21, "10:05:01", 105.0, 1.0)))

    assert closed(given_up) == [(at("10:01:00"), 101.0, 1.0, TRADES, 0)]
    assert closed(later) == [(at("10:04:00"), 104.0, 1.0, TRADES, 0)]


# Duplicates, order, aggregated rows


def test_repeated_trades_are_dropped_by_id():
    stream = live_at(10, "10:00:59")
    rows = trades((11, "10:01:01", 101.0, 1.0), (12, "10:01:02", 102.0, 1.0))

    stream.live(rows)
    again = stream.live(np.concatenate([rows, trades((13, "10:01:03", 103.0, 1.0)), rows]))
    closing = stream.live(trades((14, "10:02:00", 104.0, 1.0)))

    assert ids(again) == [13]
    assert closed(closing) == [(at("10:01:00"), 103.0, 3.0, TRADES, 1)]


def test_trades_in_another_order_within_a_batch_are_no_hole():
    stream = live_at(10, "10:00:59")

    emission = stream.live(trades((12, "10:01:02", 102.0, 1.0), (11, "10:01:01", 101.0, 1.0)))

    assert ids(emission) == [11, 12]
    assert emission.opened == ()
    assert emission.openings[0].trade_id == 11


def test_aggregated_rows_are_contiguous_by_the_ids_they_cover():
    stream = live_at(10, "10:00:59")

    emission = stream.live(trades((13, "10:01:01", 101.0, 3.0, 3), (15, "10:01:02", 102.0, 1.0, 2)))
    closing = stream.live(trades((16, "10:02:00", 104.0, 1.0)))

    assert ids(emission) == [13, 15]
    assert emission.opened == ()
    assert closing.minutes["trade_count"].tolist() == [5]


def test_an_aggregated_row_and_single_matches_of_the_same_ids_are_never_both_summed():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:01", 101.0, 1.0), (12, "10:01:01", 101.0, 1.0)))

    stream.live(trades((13, "10:01:01", 101.0, 3.0, 3)))
    hole = stream.live(trades((14, "10:01:02", 102.0, 1.0))).opened[0]
    stream.repaired(trades((13, "10:01:01", 101.0, 1.0)), hole)
    closing = stream.live(trades((15, "10:02:00", 104.0, 1.0)))

    assert (hole.first_id, hole.last_id) == (13, 13)
    assert closed(closing) == [(at("10:01:00"), 102.0, 4.0, TRADES, 1)]


# Holes


def test_a_hole_withholds_everything_behind_it_until_it_is_repaired():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:10", 101.0, 1.0)))

    behind = stream.live(trades((14, "10:01:40", 104.0, 1.0), (15, "10:02:01", 105.0, 1.0)))
    assert (ids(behind), closed(behind), behind.openings) == ([], [], ())
    assert closed(stream.tick(at("10:02:10"))) == []
    assert closed(stream.confirm(at("10:01:00"), 1.0, at("10:02:10"))) == []
    (hole,) = behind.opened
    assert (hole.first_id, hole.last_id, hole.cause) == (12, 13, HoleCause.LOSS)
    assert (hole.after_ms, hole.before_ms) == (at("10:01:10"), at("10:01:40"))

    emission = stream.repaired(
        trades((12, "10:01:20", 90.0, 1.0), (13, "10:01:30", 1.0, 1.0)), hole
    )

    assert ids(emission) == [12, 13, 14, 15]
    assert closed(emission) == [(at("10:01:00"), 104.0, 4.0, TRADES, 1)]
    assert emission.repaired == (hole,)
    assert emission.minutes["low"].tolist() == [1.0]
    assert stream.holes == ()


def test_a_hole_repaired_in_part_keeps_its_bounds_until_it_is_whole():
    stream = live_at(10, "10:00:59")
    (hole,) = stream.live(trades((14, "10:01:40", 104.0, 1.0))).opened

    last = stream.repaired(trades((13, "10:01:30", 103.0, 1.0)), hole)
    first = stream.repaired(trades((11, "10:01:10", 101.0, 1.0)), hole)
    assert (ids(last), ids(first), stream.holes) == ([], [11], (hole,))
    middle = stream.repaired(trades((12, "10:01:20", 102.0, 1.0)), hole)

    assert ids(middle) == [12, 13, 14]
    assert middle.repaired == (hole,)


def test_a_hole_repaired_by_the_socket_itself_needs_nobody():
    stream = live_at(10, "10:00:59")
    (hole,) = stream.live(trades((12, "10:01:40", 104.0, 1.0))).opened

    emission = stream.live(trades((11, "10:01:39", 103.0, 1.0)))

    assert emission.repaired == (hole,)
    assert ids(emission) == [11, 12]


def test_two_holes_are_repaired_in_any_order():
    stream = live_at(10, "10:00:59")
    (first,) = stream.live(trades((12, "10:01:02", 102.0, 1.0))).opened
    (second,) = stream.live(trades((14, "10:01:04", 104.0, 1.0))).opened

    one = stream.repaired(trades((13, "10:01:03", 103.0, 1.0)), second)
    assert (ids(one), one.repaired, stream.holes) == ([], (second,), (first,))
    two = stream.repaired(trades((11, "10:01:01", 101.0, 1.0)), first)

    assert ids(two) == [11, 12, 13, 14]


def test_a_hole_lies_between_the_times_of_the_trades_on_both_sides():
    stream = live_at(10, "10:00:59")
    stream.live(trades((12, "10:01:02", 102.0, 1.0)))
    stream.live(trades((13, "10:01:03", 103.0, 1.0)))

    (hole,) = stream.live(trades((16, "10:01:06", 106.0, 1.0))).opened

    assert (hole.first_id, hole.last_id) == (14, 15)
    assert (hole.after_ms, hole.before_ms) == (at("10:01:03"), at("10:01:06"))


def test_a_hole_given_up_hands_its_minutes_on_as_incomplete():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:10", 101.0, 1.0)))
    (hole,) = stream.live(trades((14, "10:01:40", 104.0, 1.0))).opened

    given_up = stream.give_up(hole, at("10:02:10"))
    assert ids(given_up) == [14]
    assert given_up.given_up == (hole,)
    emission = stream.live(trades((15, "10:02:11", 105.0, 1.0), (16, "10:03:00", 106.0, 1.0)))

    assert closed(emission) == [
        (at("10:01:00"), 104.0, 2.0, TRADES, 0),
        (at("10:02:00"), 105.0, 1.0, TRADES, 1),
    ]
    assert stream.give_up(hole, at("10:03:00")).given_up == ()


def test_giving_up_after_a_partial_repair_flags_only_what_is_still_missing():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:10", 101.0, 1.0)))
    (hole,) = stream.live(trades((20, "10:05:40", 120.0, 1.0))).opened

    stream.repaired(trades((18, "10:04:59", 118.0, 1.0), (19, "10:05:01", 119.0, 1.0)), hole)
    given_up = stream.give_up(hole, at("10:05:45"))
    emission = stream.live(trades((21, "10:06:00", 121.0, 1.0)))

    assert closed(given_up) == [
        (at("10:01:00"), 101.0, 1.0, TRADES, 0),
        (at("10:04:00"), 118.0, 1.0, TRADES, 0),
    ]
    assert closed(emission) == [(at("10:05:00"), 120.0, 2.0, TRADES, 1)]


def test_trades_found_after_giving_up_rebuild_their_minutes():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:10", 101.0, 1.0)))
    (hole,) = stream.live(trades((14, "10:02:40", 104.0, 1.0))).opened
    stream.give_up(hole, at("10:03:10"))

    found = stream.repaired(trades((12, "10:01:20", 9.0, 1.0), (13, "10:02:30", 8.0, 1.0)), hole)
    again = stream.repaired(trades((12, "10:01:20", 9.0, 1.0), (13, "10:02:30", 8.0, 1.0)), hole)
    emission = stream.live(trades((15, "10:03:11", 105.0, 1.0)))

    assert ids(found) == [12, 13]
    assert found.rebuild == (at("10:01:00"),)
    assert found.repaired == (hole,)
    assert (ids(again), again.rebuild, again.repaired) == ([], (), ())
    assert table(emission.minutes, "open_time_ms", "low", "volume", "minutes") == [
        (at("10:02:00"), 8.0, 2.0, 1)
    ]


def test_a_trade_found_after_giving_up_joins_a_minute_that_still_forms():
    stream = live_at(10, "10:00:59")
    (hole,) = stream.live(trades((13, "10:01:03", 103.0, 1.0))).opened
    stream.give_up(hole, at("10:01:33"))

    part = stream.live(trades((11, "10:01:01", 101.0, 1.0)))
    assert (ids(part), part.repaired, part.rebuild) == ([11], (), ())
    assert stream.live(trades((12, "10:01:02", 999.0, 1.0))).repaired == (hole,)
    closing = stream.live(trades((14, "10:02:00", 104.0, 1.0)))

    names = ("open", "high", "close", "volume", "trade_count", "first_trade_id", "minutes")
    assert table(closing.minutes, *names) == [(101.0, 999.0, 103.0, 3.0, 3, 11, 1)]


def test_a_later_hole_given_up_first_waits_for_the_earlier_one():
    stream = live_at(10, "10:00:59")
    (first,) = stream.live(trades((12, "10:01:02", 102.0, 1.0))).opened
    (second,) = stream.live(trades((14, "10:03:04", 104.0, 1.0))).opened

    given_up = stream.give_up(second, at("10:03:34"))
    assert (ids(given_up), stream.holes) == ([], (first,))
    emission = stream.repaired(trades((11, "10:01:01", 101.0, 1.0)), first)

    assert ids(emission) == [11, 12, 14]
    assert closed(emission) == [(at("10:01:00"), 102.0, 2.0, TRADES, 0)]


def test_too_many_waiting_trades_are_refused_and_nothing_is_changed():
    stream = live_at(10, "10:00:59", buffer_limit=2)
    (hole,) = stream.live(trades((12, "10:01:02", 1.0, 1.0), (13, "10:01:03", 1.0, 1.0))).opened
    more = trades((14, "10:01:04", 1.0, 1.0))

    with pytest.raises(BufferFull, match="give up the oldest hole"):
        stream.live(more)
    assert ids(stream.give_up(hole, at("10:01:05"))) == [12, 13]

    assert ids(stream.live(more)) == [14]


# Late trades


def test_a_late_trade_opens_the_minute_that_was_closed_as_flat():
    stream = live_at(10, "10:00:59")
    assert closed(stream.tick(at("10:02:05"))) == [(at("10:01:00"), 100.0, 0.0, FLAT, 1)]

    late = stream.live(trades((11, "10:01:30", 101.0, 1.0), (12, "10:01:31", 102.0, 1.0)))

    assert late.rebuild == (at("10:01:00"),)
    assert late.openings == (Opening(at("10:01:00"), 101.0, 11, at("10:01:30")),)


def test_a_late_trade_for_a_closed_minute_asks_for_a_rebuild():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 1.0), (12, "10:02:00", 102.0, 1.0)))

    late = stream.live(trades((13, "10:01:59.999", 50.0, 1.0)))
    closing = stream.live(trades((14, "10:03:00", 104.0, 1.0)))

    assert (ids(late), late.rebuild, closed(late)) == ([13], (at("10:01:00"),), [])
    assert table(closing.minutes, "open_time_ms", "low", "close") == [
        (at("10:02:00"), 102.0, 102.0)
    ]


def test_a_trade_after_its_minute_was_closed_by_time_rebuilds_it_and_the_quiet_ones_after():
    stream = live_at(10, "10:00:59", close=100.0)
    stream.tick(at("10:04:05"))

    late = stream.live(trades((11, "10:02:59", 70.0, 1.0), (12, "10:05:01", 71.0, 1.0)))

    assert late.rebuild == (at("10:02:00"), at("10:03:00"))
    assert closed(late) == [(at("10:04:00"), 70.0, 0.0, FLAT, 1)]


# Starts


def test_the_first_trade_of_a_subscription_never_enters_the_current_minute():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))

    old = stream.live(trades((50, "00:17:00", 7.0, 9.0)))
    stream.live(trades((51, "10:00:40", 100.0, 1.0)))
    emission = stream.live(trades((52, "10:01:00", 101.0, 1.0)))

    assert (ids(old), old.opened, closed(old)) == ([], (), [])
    assert closed(emission) == [(at("10:00:00"), 100.0, 1.0, TRADES, 1)]
    assert emission.minutes["open"].tolist() == [100.0]


def test_an_old_first_trade_proves_that_the_minutes_since_were_quiet():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))
    stream.live(trades((50, "00:17:00", 7.0, 9.0)))

    emission = stream.tick(at("10:02:05"))

    assert closed(emission) == [
        (at("10:00:00"), 7.0, 0.0, FLAT, 1),
        (at("10:01:00"), 7.0, 0.0, FLAT, 1),
    ]


def test_a_minute_partly_seen_at_the_start_is_no_candle_until_its_trades_are_fetched():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))
    (hole,) = stream.live(trades((50, "10:00:31", 100.0, 1.0))).opened
    assert (hole.first_id, hole.last_id, hole.cause) == (None, 49, HoleCause.START)
    assert (hole.after_ms, hole.before_ms) == (at("10:00:00"), at("10:00:31"))

    assert closed(stream.live(trades((51, "10:01:00", 101.0, 1.0)))) == []
    assert closed(stream.tick(at("10:01:20"))) == []
    part = stream.repaired(trades((49, "10:00:05", 99.0, 1.0)), hole)
    assert (ids(part), part.repaired) == ([], ())
    emission = stream.repaired(
        trades(
            (46, "09:58:00", 96.0, 1.0), (47, "09:59:59", 97.0, 1.0), (48, "10:00:00", 98.0, 1.0)
        ),
        hole,
    )

    assert ids(emission) == [48, 49, 50, 51]
    assert emission.repaired == (hole,)
    assert table(emission.minutes, "open_time_ms", "open", "volume", "minutes") == [
        (at("10:00:00"), 98.0, 3.0, 1)
    ]


def test_a_first_start_behind_stored_history_goes_on_from_its_last_candle():
    resume = Resume(last_close=95.0, last_closed_open_ms=at("09:57:00"))
    stream = InstrumentStream(BTC, resume, at("10:00:30"))
    (hole,) = stream.live(trades((50, "10:00:31", 100.0, 1.0))).opened

    emission = stream.repaired(
        trades((48, "09:57:59", 95.0, 1.0), (49, "09:59:10", 99.0, 1.0)), hole
    )

    assert hole.after_ms == at("09:58:00")
    assert closed(emission) == [
        (at("09:58:00"), 95.0, 0.0, FLAT, 1),
        (at("09:59:00"), 99.0, 1.0, TRADES, 1),
    ]


def test_the_very_first_trade_of_an_instrument_needs_nothing_before_it():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))

    emission = stream.live(trades((1, "10:00:31", 100.0, 1.0)))

    assert (ids(emission), emission.opened) == ([1], ())


def test_a_first_start_is_whole_when_the_exchange_has_nothing_older():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))
    (hole,) = stream.live(trades((50, "10:00:31", 100.0, 1.0))).opened

    emission = stream.repaired(trades((49, "10:00:05", 99.0, 1.0)), hole, reached_start=True)

    assert (ids(emission), emission.repaired) == ([49, 50], (hole,))


def test_a_first_start_given_up_flags_its_first_minute_only():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))
    (hole,) = stream.live(trades((50, "10:00:31", 100.0, 1.0))).opened

    given_up = stream.give_up(hole, at("10:01:00"))
    emission = stream.live(trades((51, "10:01:10", 101.0, 1.0), (52, "10:02:00", 102.0, 1.0)))

    assert (ids(given_up), given_up.given_up) == ([50], (hole,))
    assert closed(emission) == [
        (at("10:00:00"), 100.0, 1.0, TRADES, 0),
        (at("10:01:00"), 101.0, 1.0, TRADES, 1),
    ]


def test_a_restart_fetches_from_the_last_stored_trade_before_it_closes_a_candle():
    stored = trades((9, "10:01:10", 100.0, 1.0), (10, "10:01:20", 101.0, 1.0))
    resume = Resume(10, at("10:01:20"), 99.0, at("10:00:00"), stored)
    stream = InstrumentStream(BTC, resume, at("10:03:10"))
    assert closed(stream.tick(at("10:03:12"))) == []

    behind = stream.live(trades((13, "10:03:15", 103.0, 1.0)))
    assert (ids(behind), closed(behind)) == ([], [])
    (hole,) = behind.opened
    assert (hole.first_id, hole.last_id, hole.cause) == (11, 12, HoleCause.START)
    emission = stream.repaired(
        trades((11, "10:01:40", 105.0, 1.0), (12, "10:03:05", 102.0, 1.0)), hole
    )

    assert ids(emission) == [11, 12, 13]
    assert closed(emission) == [
        (at("10:01:00"), 105.0, 3.0, TRADES, 1),
        (at("10:02:00"), 105.0, 0.0, FLAT, 1),
    ]
    assert [opening.trade_id for opening in emission.openings] == [12]


def test_a_restart_that_missed_nothing_closes_the_minute_left_open():
    stored = trades((10, "10:01:20", 101.0, 1.0))
    resume = Resume(10, at("10:01:20"), 99.0, at("10:00:00"), stored)
    stream = InstrumentStream(BTC, resume, at("10:01:50"))

    stream.live(trades((10, "10:01:20", 101.0, 1.0)))
    emission = stream.tick(at("10:02:05"))

    assert closed(emission) == [(at("10:01:00"), 101.0, 1.0, TRADES, 1)]
    assert emission.openings == ()


def test_a_restart_closes_every_minute_left_open():
    stored = trades((9, "10:01:20", 101.0, 1.0), (10, "10:03:20", 103.0, 1.0))
    resume = Resume(10, at("10:03:20"), 99.0, at("10:00:00"), stored)
    stream = InstrumentStream(BTC, resume, at("10:03:50"))

    emission = stream.live(trades((11, "10:04:00", 104.0, 1.0)))

    assert closed(emission) == [
        (at("10:01:00"), 101.0, 1.0, TRADES, 1),
        (at("10:02:00"), 101.0, 0.0, FLAT, 1),
        (at("10:03:00"), 103.0, 1.0, TRADES, 1),
    ]


def test_a_late_trade_of_a_minute_that_a_restart_left_open_rebuilds_it():
    stored = trades((9, "10:01:20", 101.0, 1.0), (10, "10:03:20", 103.0, 1.0))
    resume = Resume(10, at("10:03:20"), 99.0, at("10:00:00"), stored)
    stream = InstrumentStream(BTC, resume, at("10:03:50"))

    emission = stream.live(trades((11, "10:01:30", 50.0, 1.0)))

    assert emission.minutes["open_time_ms"].tolist() == [at("10:01:00"), at("10:02:00")]
    assert emission.rebuild == (at("10:01:00"),)


def test_a_restart_knows_what_was_given_up_in_the_minute_left_open():
    stored = trades((8, "10:01:20", 101.0, 1.0), (10, "10:01:30", 102.0, 1.0))
    hole = Hole(7, 9, at("10:00:59"), at("10:01:30"), HoleCause.LOSS)
    resume = Resume(10, at("10:01:30"), 99.0, at("10:00:00"), stored, (hole,))
    stream = InstrumentStream(BTC, resume, at("10:01:50"))
    assert stream.forming is not None
    assert stream.forming["minutes"] == 0

    known = stream.live(trades((7, "10:01:10", 50.0, 1.0), (8, "10:01:20", 101.0, 1.0)))
    found = stream.live(trades((9, "10:01:25", 70.0, 1.0), (10, "10:01:30", 102.0, 1.0)))
    closing = stream.live(trades((11, "10:02:00", 104.0, 1.0)))

    assert (ids(known), known.repaired) == ([7], ())
    assert (ids(found), found.repaired) == ([9], (hole,))
    names = ("open", "low", "close", "volume", "minutes")
    assert table(closing.minutes, *names) == [(50.0, 50.0, 102.0, 4.0, 1)]


def test_a_restart_flags_the_minute_whose_given_up_trades_were_not_found():
    hole = Hole(7, 9, at("10:00:59"), at("10:01:30"), HoleCause.LOSS)
    stored = trades((10, "10:01:30", 102.0, 1.0))
    resume = Resume(10, at("10:01:30"), 99.0, at("10:00:00"), stored, (hole,))

    emission = InstrumentStream(BTC, resume, at("10:01:50")).live(
        trades((11, "10:02:00", 104.0, 1.0), (12, "10:03:00", 104.0, 1.0))
    )

    assert closed(emission) == [
        (at("10:01:00"), 102.0, 1.0, TRADES, 0),
        (at("10:02:00"), 104.0, 1.0, TRADES, 1),
    ]


def test_trades_found_from_before_the_start_only_tell_the_price():
    stream = InstrumentStream(BTC, Resume(), at("10:00:30"))
    stream.live(trades((50, "00:17:00", 7.0, 9.0)))
    (hole,) = stream.live(trades((53, "10:01:40", 100.0, 1.0))).opened

    emission = stream.repaired(
        trades((51, "09:58:10", 51.0, 1.0), (52, "09:59:59.999", 52.0, 1.0)), hole
    )

    assert (ids(emission), emission.rebuild) == ([53], ())
    assert closed(emission) == [(at("10:00:00"), 52.0, 0.0, FLAT, 1)]


# The minute that forms


def test_the_forming_minute_is_shown_while_it_grows():
    stream = live_at(10, "10:00:59")
    assert stream.forming is None

    stream.live(trades((11, "10:01:30", 101.0, 1.0)))
    stream.live(trades((12, "10:01:31", 99.0, 1.0)))

    names = ("open_time_ms", "open", "low", "close", "volume", "minutes")
    assert table(np.array([stream.forming]), *names) == [
        (at("10:01:00"), 101.0, 99.0, 99.0, 2.0, 1)
    ]


def test_the_forming_minute_goes_on_behind_a_hole_marked_incomplete():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 1.0)))
    names = ("open_time_ms", "open", "close", "volume", "minutes")

    stream.live(trades((13, "10:01:40", 103.0, 1.0)))
    same = table(np.array([stream.forming]), *names)
    stream.live(trades((14, "10:02:01", 104.0, 1.0)))

    assert same == [(at("10:01:00"), 101.0, 103.0, 2.0, 0)]
    assert table(np.array([stream.forming]), *names) == [(at("10:02:00"), 104.0, 104.0, 1.0, 0)]


def test_no_trades_change_nothing():
    stream = live_at(10, "10:00:59")
    nothing: Trades = empty_trades()

    assert ids(stream.live(nothing)) == []
    assert stream.last_trade_id == 10


def reconnected_at(last_id: int, time: str) -> InstrumentStream:
    stream = live_at(last_id, time)
    stream.disconnected()
    stream.connected(at(time) + 600_000)
    return stream


def test_one_page_of_rest_that_ends_with_our_last_trade_proves_nothing():
    stream = reconnected_at(10, "10:00:59")
    page = trades((9, "10:00:58", 100.0, 1.0), (10, "10:00:59", 100.0, 1.0))

    stream.page(page)
    assert not stream.is_proven
    assert closed(stream.tick(at("10:05:00"))) == []

    stream.page(page)
    assert stream.is_proven
    assert len(closed(stream.tick(at("10:05:00")))) == 3


def test_a_page_with_a_new_trade_waits_for_a_second_one_that_ends_with_it_too():
    stream = reconnected_at(10, "10:00:59")
    stale = trades((10, "10:00:59", 100.0, 1.0))
    fresh = trades((10, "10:00:59", 100.0, 1.0), (11, "10:03:00", 101.0, 1.0))

    stream.page(stale)
    assert ids(stream.page(fresh)) == [11]
    stream.page(stale)
    assert not stream.is_proven
    stream.page(fresh)
    assert stream.is_proven


def test_a_trade_of_the_socket_proves_at_once():
    stream = reconnected_at(10, "10:00:59")
    stream.live(trades((11, "10:10:59", 101.0, 1.0)))
    assert stream.is_proven


def test_pages_of_before_the_connection_count_for_nothing():
    stream = reconnected_at(10, "10:00:59")
    page = trades((10, "10:00:59", 100.0, 1.0))
    stream.page(page)
    stream.disconnected()
    stream.connected(at("10:30:00"))
    stream.page(page)
    assert not stream.is_proven


# Ids that the exchange leaves out


def test_without_the_id_rule_a_missing_id_is_no_hole_and_a_late_trade_is_still_taken():
    resume = Resume(10, at("10:00:59"), 100.0, at("10:00:00"))
    stream = InstrumentStream(replace(BTC, has_id_rule=False), resume, at("10:01:00"))
    stream.live(trades((10, "10:00:59", 100.0, 1.0)))

    gapped = stream.live(trades((11, "10:01:01", 101.0, 1.0), (15, "10:01:05", 102.0, 1.0)))
    late = stream.live(trades((13, "10:01:03", 103.0, 1.0)))
    closing = stream.live(trades((16, "10:02:00", 104.0, 1.0)))

    assert (ids(gapped), gapped.opened) == ([11, 15], ())
    assert ids(late) == [13]
    assert closed(closing) == [(at("10:01:00"), 102.0, 3.0, TRADES, 1)]


# Doubted minutes


def test_a_doubted_minute_closes_with_trades_missing():
    stream = live_at(10, "10:00:59")
    stream.live(trades((11, "10:01:30", 101.0, 1.0)))

    emission = stream.close_doubted(at("10:01:00"), at("10:02:30"))

    assert closed(emission) == [(at("10:01:00"), 101.0, 1.0, TRADES, 0)]
    assert closed(stream.tick(at("10:03:05"))) == [(at("10:02:00"), 101.0, 0.0, FLAT, 1)]


def test_a_doubted_minute_without_a_trade_is_left_out_and_never_flat():
    stream = live_at(10, "10:00:59")

    assert closed(stream.close_doubted(at("10:01:00"), at("10:02:30"))) == []
    assert closed(stream.tick(at("10:03:05"))) == [(at("10:02:00"), 100.0, 0.0, FLAT, 1)]
