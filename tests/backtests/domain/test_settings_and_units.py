"""Settings become whole numbers, or a refusal that names the field; units lose nothing."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.records import PPM, Sizing
from backtests.domain.settings import Costs, InvalidSetting, Limits, Size, Stops, Trading
from backtests.domain.trading_json import (
    FIELDS,
    InvalidTrading,
    trading_as_json,
    trading_from_json,
)
from backtests.domain.units import TooLarge, Units, check_fits
from marketdata.domain.records import InstrumentSpec
from marketdata.domain.timeframe import Timeframe
from tests.backtests.domain.market import SPEC


def rules(*, is_margined=False, **trading):
    return Trading(**trading).rules(
        Units.of(SPEC), Timeframe.H1, minimum_lots=3, is_margined=is_margined
    )


def test_settings_become_the_kernels_whole_numbers():
    made = rules(
        costs=Costs(Decimal(10), Decimal("7.5"), Decimal("0.01")),
        stops=Stops(Decimal("0.05"), Decimal(2), Decimal("0.000001"), 90),
        limits=Limits(Decimal("0.2"), Decimal("0.1"), Decimal("0.5"), 30),
        size=Size(Sizing.RISK, Decimal("0.01")),
    )
    assert (made.taker, made.maker, made.slippage) == (1000, 750, 1)
    assert (made.stop_loss, made.take_profit, made.trailing_stop) == (50_000, 2 * PPM, 1)
    assert (made.time_stop_ms, made.cooldown_ms) == (5_400_000, 1_800_000)
    assert (made.max_drawdown, made.max_daily_loss, made.max_exposure) == (
        200_000,
        100_000,
        500_000,
    )
    assert (made.sizing, made.size) == (Sizing.RISK, 10_000)
    assert (made.timeframe_ms, made.minimum_lots) == (3_600_000, 3)


def test_what_is_left_out_is_off():
    made = rules()
    assert (made.stop_loss, made.take_profit, made.trailing_stop, made.time_stop_ms) == (0, 0, 0, 0)
    assert (made.max_drawdown, made.max_daily_loss, made.max_exposure) == (0, 0, PPM)
    assert (made.size, made.sizing) == (PPM, Sizing.FRACTION)


def test_a_fixed_amount_is_in_cash_units():
    made = rules(size=Size(Sizing.QUOTE, Decimal("12.5")))
    assert made.size == 1_250_000_000


D = Decimal
REFUSED = {
    "no cash": ({"cash": D(0)}, "cash"),
    "cash that is no number": ({"cash": D("NaN")}, "cash"),
    "a negative fee": ({"costs": Costs(taker_bps=D(-1))}, "taker_bps"),
    "a fee above a tenth": ({"costs": Costs(maker_bps=D(1001))}, "maker_bps"),
    "slippage without end": ({"costs": Costs(slippage_bps=D("Infinity"))}, "slippage_bps"),
    "steps too fine": ({"costs": Costs(slippage_bps=D("0.001"))}, "slippage_bps"),
    "a stop of nothing": ({"stops": Stops(stop_loss=D(0))}, "stop_loss"),
    "a stop below nothing": ({"stops": Stops(stop_loss=D("1.1"))}, "stop_loss"),
    "a target of nothing": ({"stops": Stops(take_profit=D(0))}, "take_profit"),
    "a trailing stop that is no number": (
        {"stops": Stops(trailing_stop=D("NaN"))},
        "trailing_stop",
    ),
    "no minutes": ({"stops": Stops(time_stop_minutes=0)}, "time_stop_minutes"),
    "more than a year": ({"limits": Limits(cooldown_minutes=525_601)}, "cooldown_minutes"),
    "a drawdown above everything": ({"limits": Limits(max_drawdown=D(2))}, "max_drawdown"),
    "a loss below zero": ({"limits": Limits(max_daily_loss=D(-1))}, "max_daily_loss"),
    "exposure of nothing": ({"limits": Limits(max_exposure=D(0))}, "max_exposure"),
    "a size of nothing": ({"size": Size(Sizing.FRACTION, D(0))}, "size"),
    "an amount of nothing": ({"size": Size(Sizing.QUOTE, D(0))}, "size"),
    "more than everything": ({"size": Size(Sizing.FRACTION, D("1.5"))}, "size"),
    "risk without a stop": ({"size": Size(Sizing.RISK, D("0.01"))}, "stop_loss"),
    "a short on spot": ({"allow_short": True}, "allow_short"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_settings_name_their_field(case):
    trading, field = REFUSED[case]
    with pytest.raises(InvalidSetting) as refused:
        rules(**trading)
    assert refused.value.field == field
    assert len(str(refused.value)) > 15


def test_a_swap_may_be_sold_short_and_has_its_own_fees():
    assert rules(is_margined=True, allow_short=True).is_short_allowed
    assert trading_from_json({}, is_swap=True).costs == Costs.of_swap()


shares = st.one_of(st.none(), st.decimals("0.000001", 1, places=6))
counts = st.one_of(st.none(), st.integers(1, 525_600))
tradings = st.builds(
    Trading,
    cash=st.decimals("0.01", 10**9, places=2),
    costs=st.builds(Costs, *[st.decimals(0, 1000, places=2)] * 3),
    size=st.builds(Size, st.sampled_from(Sizing), st.decimals("0.000001", 1, places=6)),
    stops=st.builds(Stops, shares, shares, shares, counts),
    limits=st.builds(Limits, shares, shares, shares, counts),
    allow_short=st.booleans(),
)


@settings(max_examples=100)
@given(tradings, st.booleans())
def test_settings_survive_json(trading, is_swap):
    told = trading_as_json(trading)
    assert set(told) == set(FIELDS)
    assert trading_from_json(told, is_swap=is_swap) == trading


def test_numbers_are_as_good_as_text():
    made = trading_from_json({"cash": 500, "taker_bps": 7.5, "stop_loss": None}, is_swap=False)
    assert (made.cash, made.costs.taker_bps, made.stops.stop_loss) == (500, D("7.5"), None)


def test_every_wrong_field_has_its_reason():
    given_ = {
        "cash": "much",
        "taker_bps": None,
        "stop_loss": True,
        "time_stop_minutes": 1.5,
        "sizing": "all",
        "allow_short": 1,
        "max_drawdown": "1e400",
        "leverage": 3,
    }
    with pytest.raises(InvalidTrading) as refused:
        trading_from_json(given_, is_swap=False)
    assert set(refused.value.errors) == set(given_)
    assert all(len(reason) > 15 for reason in refused.value.errors.values())


@pytest.mark.parametrize(
    ("tick", "lot", "contract", "cash", "per_tick_lot"),
    [
        ("0.01", "0.00001", "1", "1E-8", 10),
        ("0.1", "0.00000001", "1", "1E-9", 1),
        ("0.5", "0.1", "1", "1E-8", 5_000_000),
        ("0.1", "1", "0.01", "1E-8", 100_000),
        ("0.000000001", "1", "1", "1E-9", 1),
    ],
)
def test_a_cash_unit_is_fine_enough_for_every_value(tick, lot, contract, cash, per_tick_lot):
    units = Units.of(InstrumentSpec("X", D(tick), D(lot), D(contract)))
    assert (units.cash, units.cash_per_tick_lot) == (D(cash), per_tick_lot)
    assert units.cash * units.cash_per_tick_lot == D(tick) * D(lot) * D(contract)
    assert Units.from_json(units.as_json()) == units


@settings(max_examples=200)
@given(
    st.sampled_from(("0.01", "0.1", "0.00001", "0.5", "1", "0.25", "10")),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=20),
)
def test_stored_prices_give_back_their_ticks(tick, wanted):
    units = Units.of(InstrumentSpec("X", D(tick), D("0.1")))
    prices = np.array([float(units.price(one)) for one in wanted])
    ticks, highest = units.ticks(prices)
    assert ticks.tolist() == wanted
    assert highest == max(wanted)


def test_cash_is_rounded_down_and_refused_when_it_does_not_fit():
    units = Units.of(SPEC)
    assert units.cash_to_units(D("0.000000019")) == 1
    assert units.amount(150_000_000) == D("1.5")
    with pytest.raises(TooLarge, match="does not fit: at most"):
        units.cash_to_units(D(10) ** 12)
    check_fits(units, 1000, units.cash_to_units(D(10) ** 6))
    with pytest.raises(TooLarge):
        check_fits(units, 2**62, 1)
