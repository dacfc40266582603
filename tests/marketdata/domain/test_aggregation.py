"""Minutes from trades, by section 1 of the trading rules."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.aggregation import aggregate_minutes, flat_minutes
from marketdata.domain.errors import InvalidRecord, UnsortedTrades
from marketdata.domain.records import UNKNOWN, InstrumentSpec, Source, empty_trades, trade_array
from tests.marketdata.domain.builders import BTC, DAY_ONE, SWAP, at, table, trades

SHAPE = ("open_time_ms", "open", "high", "low", "close", "volume")


def test_a_minute_opens_with_its_first_and_closes_with_its_last_trade():
    tape = trades(
        (1, "10:00:01", 100.0, 1.0),
        (2, "10:00:20", 103.5, 0.5),
        (3, "10:00:40", 99.0, 0.25),
        (4, "10:00:59", 101.0, 0.25),
        (5, "10:02:00", 102.0, 3.0),
    )

    candles = aggregate_minutes(tape, BTC)

    assert table(candles, *SHAPE) == [
        (at("10:00:00"), 100.0, 103.5, 99.0, 101.0, 2.0),
        (at("10:02:00"), 102.0, 102.0, 102.0, 102.0, 3.0),
    ]
    assert table(candles, "quote_volume", "trade_count", "first_trade_id", "last_trade_id") == [
        (201.75, 4, 1, 4),
        (306.0, 1, 5, 5),
    ]
    assert table(candles, "minutes", "source", "closed_at_ms", "revision") == [
        (1, Source.TRADES, 0, 0),
        (1, Source.TRADES, 0, 0),
    ]


def test_a_trade_on_the_boundary_belongs_to_the_later_minute():
    tape = trades((1, "10:00:59.999", 1.0, 1.0), (2, "10:01:00", 2.0, 1.0))

    candles = aggregate_minutes(tape, BTC)

    assert table(candles, "open_time_ms", "open") == [(at("10:00:00"), 1.0), (at("10:01:00"), 2.0)]


def test_times_out_of_order_across_a_boundary_still_give_each_minute_once():
    tape = trades(
        (1, "10:00:59", 1.0, 1.0),
        (2, "10:01:00.001", 2.0, 1.0),
        (3, "10:00:59.999", 3.0, 1.0),
        (4, "10:01:02", 4.0, 1.0),
    )

    candles = aggregate_minutes(tape, BTC)

    assert table(candles, "open_time_ms", "open", "close", "first_trade_id", "last_trade_id") == [
        (at("10:00:00"), 1.0, 3.0, 1, 3),
        (at("10:01:00"), 2.0, 4.0, 2, 4),
    ]


def test_aggregated_rows_count_their_matches_and_start_at_their_first_id():
    tape = trades((105, "10:00:01", 1.0, 1.0, 5), (107, "10:00:02", 1.0, 1.0, 2))

    candles = aggregate_minutes(tape, BTC)

    assert table(candles, "trade_count", "first_trade_id", "last_trade_id") == [(7, 101, 107)]


def test_sums_are_exact_decimals_where_floats_would_drift():
    tape = trades(*[(i, "10:00:01", 0.1, 0.1) for i in range(1, 11)])

    candles = aggregate_minutes(tape, BTC)

    assert sum([0.1] * 10) != 1.0
    assert table(candles, "volume", "quote_volume") == [(1.0, 0.1)]


def test_more_decimals_than_the_instrument_says_are_kept():
    coarse = InstrumentSpec("X", Decimal("1"), Decimal("1"))
    tape = trades((1, "10:00:01", 0.123, 0.00000007), (2, "10:00:02", 0.123, 0.1))

    candles = aggregate_minutes(tape, coarse)

    assert table(candles, "volume", "quote_volume") == [(0.10000007, 0.01230000861)]


def test_values_that_are_no_short_decimals_are_still_added_exactly():
    tape = trades((1, "10:00:01", 1.0, 0.1 + 0.2), (2, "10:00:02", 1.0, 1e-18))

    candles = aggregate_minutes(tape, BTC)

    assert table(candles, "volume") == [(0.30000000000000004,)]


def test_a_swap_counts_base_currency_not_contracts():
    tape = trades((1, "10:00:01", 60000.1, 3.0), (2, "10:00:02", 60000.1, 0.02))

    candles = aggregate_minutes(tape, SWAP)

    assert table(candles, "volume", "quote_volume") == [(0.0302, 1812.00302)]


def test_contract_values_above_one_are_exact_too():
    doge = InstrumentSpec("DOGE-USDT-SWAP", Decimal("0.00001"), Decimal("0.01"), Decimal("1E+3"))

    candles = aggregate_minutes(trades((1, "10:00:01", 0.12345, 0.03)), doge)

    assert table(candles, "volume", "quote_volume") == [(30.0, 3.7035)]


def test_a_minute_larger_than_an_int64_of_units_is_exact():
    price, size = 99_999.9, 9_999_999.12345678
    tape = trades(*[(i, "10:00:01", price, size) for i in range(1, 101)])

    candles = aggregate_minutes(tape, BTC)

    volume = Decimal("9999999.12345678") * 100
    quote = volume * Decimal("99999.9")
    assert quote * 10**9 > 2**63
    assert table(candles, "volume", "quote_volume") == [(float(volume), float(quote))]


def test_trades_out_of_order_are_refused_by_name():
    with pytest.raises(UnsortedTrades, match="id 1 follows 2 in row 1"):
        aggregate_minutes(trades((2, "10:00:01", 1.0, 1.0), (1, "10:00:01", 1.0, 1.0)), BTC)


def test_a_price_that_is_not_a_number_is_refused():
    with pytest.raises(InvalidRecord, match="NaN or infinity"):
        aggregate_minutes(trades((1, "10:00:01", float("nan"), 1.0)), BTC)


def test_no_trades_make_no_candles():
    assert len(aggregate_minutes(empty_trades(), BTC)) == 0


def test_flat_minutes_repeat_the_close_with_no_volume():
    candles = flat_minutes(at("10:00:00"), at("10:02:00"), 5.5)

    assert table(candles, *SHAPE) == [
        (at("10:00:00"), 5.5, 5.5, 5.5, 5.5, 0.0),
        (at("10:01:00"), 5.5, 5.5, 5.5, 5.5, 0.0),
        (at("10:02:00"), 5.5, 5.5, 5.5, 5.5, 0.0),
    ]
    assert table(candles[:1], "quote_volume", "trade_count", "first_trade_id", "source") == [
        (0.0, 0, UNKNOWN, Source.FLAT)
    ]
    assert len(flat_minutes(at("10:01:00"), at("10:00:00"), 5.5)) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5 * 60_000),
            st.decimals("0.1", "99999.9", places=1),
            st.decimals("0.00000001", "9999", places=8),
            st.integers(1, 9),
        ),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from([BTC, SWAP]),
)
def test_any_tape_equals_sums_made_with_decimals(rows, spec):
    ids = np.cumsum([count for *_, count in rows]).tolist()
    tape = trade_array(
        [
            (trade_id, DAY_ONE + ms, float(price), float(size), 1, count)
            for trade_id, (ms, price, size, count) in zip(ids, rows, strict=True)
        ]
    )

    candles = aggregate_minutes(tape, spec)

    expected = []
    for minute in sorted({ms // 60_000 for ms, *_ in rows}):
        inside = [row for row in rows if row[0] // 60_000 == minute]
        prices = [float(row[1]) for row in inside]
        base = sum(row[2] * spec.contract_value for row in inside)
        quote = sum(row[1] * row[2] * spec.contract_value for row in inside)
        shape = (prices[0], max(prices), min(prices), prices[-1])
        count = sum(row[3] for row in inside)
        expected.append((*shape, float(base), float(quote), count))
    names = ("open", "high", "low", "close", "volume", "quote_volume", "trade_count")
    assert table(candles, *names) == expected
