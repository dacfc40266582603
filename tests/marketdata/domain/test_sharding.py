"""Instruments spread over collectors, and channels over sockets, the same way every time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.sharding import place, shard_name, shard_number


def test_members_fill_the_first_shard_before_the_next_one():
    assert place(["C", "A", "B"], {}, 2) == {"A": 1, "B": 1, "C": 2}


def test_a_member_stays_where_it_is_and_a_new_one_takes_the_room_that_is_left():
    assert place(["A", "B", "C", "D"], {"B": 2, "C": 2, "D": 1}, 2) == {
        "A": 1,
        "B": 2,
        "C": 2,
        "D": 1,
    }


def test_of_too_many_the_last_by_name_move_on():
    present = {"A": 1, "B": 1, "C": 1, "D": 2}
    assert place("ABCD", present, 2) == {"A": 1, "B": 1, "C": 2, "D": 2}


def test_one_that_left_gives_its_room_to_the_next():
    assert place(["A", "C"], {"A": 1, "B": 1}, 2) == {"A": 1, "C": 1}


def test_five_hundred_instruments_need_five_collectors_of_a_hundred():
    symbols = [f"COIN{number}-USDT" for number in range(500)]
    placed = place(symbols, {}, 100)
    assert Counter(placed.values()) == dict.fromkeys(range(1, 6), 100)
    assert place(symbols, placed, 100) == placed
    one_more = place([*symbols, "NEW-USDT"], placed, 100)
    assert one_more == placed | {"NEW-USDT": 6}


@given(
    present=st.dictionaries(st.text("ABCDEFGH", min_size=1, max_size=2), st.integers(1, 6)),
    members=st.sets(st.text("ABCDEFGH", min_size=1, max_size=2)),
    capacity=st.integers(1, 5),
)
def test_no_shard_is_over_its_capacity_and_nobody_moves_without_need(present, members, capacity):
    placed = place(members, present, capacity)
    assert set(placed) == members
    assert all(number <= capacity for number in Counter(placed.values()).values())
    wanted = Counter(present[member] for member in members & set(present))
    for member in members & set(present):
        if wanted[present[member]] <= capacity:
            assert placed[member] == present[member]
    assert place(members, placed, capacity) == placed


def test_a_capacity_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        place(["A"], {}, 0)


def test_names_and_numbers_of_shards_say_the_same():
    assert [shard_name("okx", number) for number in (1, 2, 10)] == ["okx", "okx-2", "okx-10"]
    named = ("okx", "okx-2", "okx-10", "okx-1", "okx-02", "okx-sim", "okx-sim-2", "okx-foreground")
    assert [shard_number("okx", name) for name in named] == [1, 2, 10, *[None] * 5]
    assert shard_number("okx-sim", "okx-sim-2") == 2
