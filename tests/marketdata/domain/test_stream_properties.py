"""However a tape is delivered, the same trades and the same candles come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from marketdata.domain.events import Emission, Hole, Resume
from marketdata.domain.records import Trades, trade_array
from marketdata.domain.stream import InstrumentStream
from tests.marketdata.domain.builders import BTC, DAY_ONE, without
from tests.marketdata.domain.market import Store, whole_minutes

FIRST_ID = 1_000
NOW = ("closed_at_ms",)

# A seed instead of hypothesis's own randoms: ten times as fast, and the tape still shrinks.
SEEDS = st.integers(0, 2**32).map(Random)

# Explaining a failure traces every line and takes longer than the limit of a test.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
EXAMPLES = settings(max_examples=200, phases=PHASES)


@st.composite
def tapes(draw, *, is_aggregated: bool = False) -> Trades:
    """Return a tape in order of id and time with bursts, boundaries and quiet minutes."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 0, 1, 250, 4_999, 20_000, 59_999, 60_000, 200_000]),
                st.integers(1, 10_000),
                st.integers(1, 10**9),
                st.integers(1, 4) if is_aggregated else st.just(1),
            ),
            min_size=2,
            max_size=60,
        )
    )
    rows, trade_id, time_ms = [], FIRST_ID, DAY_ONE + draw(st.integers(0, 60_000))
    for step, price, size, count in steps:
        trade_id, time_ms = trade_id + count, time_ms + step
        rows.append((trade_id, time_ms, price / 10, size / 10**8, 1, count))
    return trade_array(rows)


@dataclass
class Delivery:
    """One instrument's exchange, connection, stream and store, with everything going wrong."""

    tape: Trades
    random: Random
    store: Store = field(default_factory=Store)

    def start(self, resume: Resume, connected_at_ms: int) -> None:
        self.stream = InstrumentStream(BTC, resume, connected_at_ms)

    def keep(self, emission: Emission) -> None:
        self.store.keep(emission)

    def live(self, rows: Trades) -> None:
        """Deliver rows with repetitions, in another order, some of them not at all."""
        order = [n for n in range(len(rows)) for _ in range(self.random.choice([0, 1, 1, 1, 2]))]
        for place in range(len(order) - 1):
            if self.random.random() < 0.2:
                order[place], order[place + 1] = order[place + 1], order[place]
        while order:
            size = self.random.randint(1, len(order))
            self.keep(self.stream.live(rows[order[:size]]))
            order = order[size:]

    def happen(self, now_ms: int) -> None:
        """Let something else happen, or nothing."""
        kind = self.random.choice(["repair", "repair", "tick", "reconnect", "restart", "nothing"])
        if kind == "repair" and self.stream.holes:
            self.repair(self.random.choice(self.stream.holes), part=self.random.random())
        elif kind == "tick":
            self.keep(self.stream.tick(now_ms))
        elif kind == "reconnect":
            self.stream.disconnected()
            self.keep(self.stream.tick(now_ms))
            self.stream.connected(now_ms)
        elif kind == "restart" and len(self.store.trades):
            self.start(self.store.resume(), now_ms)

    def repair(self, hole: Hole, *, part: float = 1.0) -> None:
        """Fetch a hole over REST: some of its trades, and a few around it."""
        ids = self.tape["trade_id"]
        first = hole.first_id or 0
        wanted = np.flatnonzero((ids >= first - 3) & (ids <= hole.last_id + 3))
        kept = [row for row in wanted.tolist() if part == 1.0 or self.random.random() < part]
        self.keep(self.stream.repaired(self.tape[kept], hole))

    def finish(self) -> None:
        """Bring the newest trade, then everything that is missing, then one more."""
        self.keep(self.stream.live(self.tape[-1:]))
        self.repair_all()
        self.keep(self.stream.live(closing(self.tape)))

    def repair_all(self) -> None:
        holes = list(self.stream.holes)
        self.random.shuffle(holes)
        for hole in holes:
            self.repair(hole)
        assert self.stream.holes == ()


def closing(tape: Trades) -> Trades:
    """Return a trade after `tape`, late enough to close everything before it."""
    last = tape[-1:].copy()
    last["trade_id"] += 1
    last["time_ms"] += 600_000
    last["count"] = 1
    return last


def deliver(tape: Trades, random: Random, delivery: Delivery, first: int) -> None:
    """Deliver tape[first:] in pieces with things happening in between, then repair it all."""
    while first < len(tape):
        piece = tape[first : first + random.randint(1, 12)]
        delivery.live(piece)
        delivery.happen(int(piece["time_ms"][-1]) + random.choice([0, 5_000, 65_000]))
        first += len(piece)
    delivery.finish()


def assert_undisturbed(store: Store, tape: Trades, start_ms: int = 0) -> None:
    """Compare with the undisturbed tape, from `start_ms` on, and the trade that closed it."""
    tape = np.concatenate([tape, closing(tape)])
    minutes = whole_minutes(tape)
    wanted = minutes[minutes["open_time_ms"] >= start_ms]
    assert len(wanted), "nothing closed: nothing would be compared"
    assert store.trades.tolist() == tape[tape["time_ms"] >= start_ms].tolist()
    assert without(store.candles, *NOW) == without(wanted, *NOW)


@EXAMPLES
@given(tapes(), SEEDS)
def test_any_delivery_after_a_restart_gives_the_undisturbed_tape(tape, random):
    delivery = Delivery(tape, random)
    stored = random.randint(1, len(tape))
    undisturbed = InstrumentStream(BTC, Resume(FIRST_ID), int(tape["time_ms"][0]))
    delivery.keep(undisturbed.live(tape[:stored]))
    delivery.start(delivery.store.resume(), int(tape["time_ms"][stored - 1]))

    deliver(tape, random, delivery, stored)

    assert_undisturbed(delivery.store, tape)


@EXAMPLES
@given(tapes(is_aggregated=True), SEEDS)
def test_any_delivery_after_a_first_start_gives_the_minutes_from_then_on(tape, random):
    delivery = Delivery(tape, random)
    old = random.randint(0, len(tape) - 1)
    connected_at_ms = int(tape["time_ms"][old])
    start_ms = connected_at_ms // 60_000 * 60_000
    before = tape["time_ms"] < start_ms
    if not before.any():
        tape["trade_id"] -= tape["trade_id"][0] - tape["count"][0]
    delivery.start(Resume(), connected_at_ms)
    if before.any() and random.random() < 0.5:
        delivery.keep(delivery.stream.live(tape[before][-1:]))

    deliver(tape, random, delivery, old)

    assert_undisturbed(delivery.store, tape, start_ms)


@EXAMPLES
@given(tapes(is_aggregated=True), st.lists(st.integers(1, 20), min_size=1))
def test_any_split_of_the_undisturbed_tape_gives_the_same_emissions(tape, sizes):
    whole, parts = Store(), Store()
    whole.keep(InstrumentStream(BTC, Resume(FIRST_ID), DAY_ONE).live(tape))
    stream = InstrumentStream(BTC, Resume(FIRST_ID), DAY_ONE)

    first = 0
    for turn in range(len(tape)):
        size = sizes[turn % len(sizes)]
        parts.keep(stream.live(tape[first : first + size]))
        first += size

    assert parts.trades.tolist() == whole.trades.tolist() == tape.tolist()
    assert without(parts.candles, *NOW) == without(whole.candles, *NOW)
    assert without(whole.candles, *NOW) == without(whole_minutes(tape), *NOW)
    assert whole.rebuilt == parts.rebuilt == 0


@EXAMPLES
@given(tapes(), SEEDS)
def test_times_that_go_back_a_little_change_no_candle_in_the_end(tape, random):
    tape["time_ms"] += [random.choice([0, 0, 0, -700, 700]) for _ in tape]
    store, stream = Store(), InstrumentStream(BTC, Resume(FIRST_ID), DAY_ONE)

    while len(tape):
        size = random.randint(1, len(tape))
        store.keep(stream.live(tape[:size]))
        tape = tape[size:]

    for candle in without(store.candles, *NOW):
        open_ms = candle[0]
        inside = store.trades[store.trades["time_ms"] // 60_000 * 60_000 == open_ms]
        assert candle[7] == len(inside)
        if len(inside):
            assert candle[1:5] == (
                inside["price"][0],
                inside["price"].max(),
                inside["price"].min(),
                inside["price"][-1],
            )
