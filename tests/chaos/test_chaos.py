"""After any disturbances and their repair, what is stored is what an undisturbed run stores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.expected import Expected
from tests.chaos.running import collect, differences, repaired, wanted_of
from tests.chaos.scenes import Scene, seeded_scene
from tests.chaos.schedules import Schedule, schedule_of
from tests.chaos.stack import Ground, Stack, running_stack
from tests.patience import Witness
from tests.simulated_exchange import spawned_exchange

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("unblocked")]


UNDISTURBED = Schedule([], [])

LONGEST_S = 30.0
"""What a run of the long suite may take, which is alone on its machine."""

FORGERIES = {
    "a trade is lost": (
        "delete from marketdata_trade where (executed_at, trade_id) ="
        " (select executed_at, trade_id from marketdata_trade order by executed_at, trade_id"
        " offset 7 limit 1)",
        "trades: ",
    ),
    "a trade has another size": (
        "update marketdata_trade set size = size + 1 where trade_id ="
        " (select min(trade_id) + 9 from marketdata_trade)",
        "trades: ",
    ),
    "a minute closed elsewhere": (
        "update marketdata_candle set close = close + 1 where timeframe = 1 and open_time ="
        " (select min(open_time) from marketdata_candle where timeframe = 1)",
        " 1m: ",
    ),
    "a longer candle is absent": ("delete from marketdata_candle where timeframe = 5", " 5m: "),
    "a fingerprint is old": (
        "update marketdata_candleday set fingerprint = sha256('x'), hashed_version = version",
        "another fingerprint",
    ),
    "a change left no revision": (
        "update marketdata_candle set revision = revision + 1 where timeframe = 1",
        "of which",
    ),
    "a gap is open": (
        'insert into marketdata_datagap (instrument_id, kind, start, "end", cause)'
        " select id, 'candles', now(), now() + interval '1 minute', 'loss'"
        " from marketdata_instrument where is_enabled",
        "is open",
    ),
}
"""What is done to a whole store, and what the comparison must say of it."""


@pytest.mark.parametrize("kind", ["seeded", "tape"])
def test_an_undisturbed_run_stores_what_the_domain_makes_of_the_market(
    kind: str, ground: Ground, tape_scene: Scene, tmp_path: Path
) -> None:
    scene = seeded_scene(1) if kind == "seeded" else tape_scene

    with collected(ground, scene, UNDISTURBED, tmp_path) as stack:
        repaired(stack, scene)
        wanted = wanted_of(stack, scene)
        assert min(len(each.trades) for each in wanted.values()) > 10
        assert differences(stack, scene, wanted) == []

        stack.stop()
        if kind == "tape":
            assert_nothing_passes_for_it(stack, scene, wanted)


def assert_nothing_passes_for_it(stack: Stack, scene: Scene, wanted: dict[str, Expected]) -> None:
    """Assert that the comparison finds each forgery of a store that nobody writes to any more."""
    whole = f"{stack.database}_whole"
    stack.ground.make(whole, stack.database)
    for name, (statement, word) in FORGERIES.items():
        forged = Stack(stack.ground, stack.exchange, f"{stack.database}_forged")
        stack.ground.make(forged.database, whole)
        forged.execute(statement)
        found = differences(forged, scene, wanted)
        assert [line for line in found if word in line], f"{name}: {found}"
        stack.ground.drop(forged.database)
    stack.ground.drop(whole)


def test_whatever_is_disturbed_all_is_there_after_the_repair(
    chaos_seed: int,
    ground: Ground,
    tape_scene: Scene,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pytestconfig: pytest.Config,
) -> None:
    scene = seeded_scene(chaos_seed) if chaos_seed % 2 else tape_scene
    schedule = schedule_of(chaos_seed, scene.symbols, scene.length_s, scene.longest_cut_s)
    with capsys.disabled():
        print(f"\nseed {chaos_seed} ({scene.template}): ", end="", flush=True)
    started = time.monotonic()

    try:
        with Witness() as witness, collected(ground, scene, schedule, tmp_path) as stack:
            repair_s = repaired(stack, scene)
            assert differences(stack, scene, wanted_of(stack, scene)) == []
            took_s = time.monotonic() - started
        is_alone = pytestconfig.getoption("--runs") or pytestconfig.getoption("--seed") is not None
        assert not is_alone or took_s < LONGEST_S + witness.longest_s, f"took {took_s:.1f} s"
    except Exception as error:
        error.add_note(f"again by: ./dev test --chaos --seed {chaos_seed}\n{schedule}")
        raise

    with capsys.disabled():
        print(f"{took_s:.0f} s, {repair_s:.0f} s of them until repaired", end=" ", flush=True)


@contextmanager
def collected(ground: Ground, scene: Scene, schedule: Schedule, folder: Path) -> Iterator[Stack]:
    """Collect a scene, with what the schedule does to it, and give the stack that did."""
    options = (*scene.options, "--speed", "10", "--hold")
    with (
        spawned_exchange(folder, *options) as exchange,
        running_stack(ground, scene.template, exchange) as stack,
    ):
        collect(stack, scene, schedule)
        yield stack
