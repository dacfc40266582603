"""After any disturbances and their repair, what is stored is what an undisturbed run stores."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.chaos.running import collect, repaired
from tests.chaos.scenes import Scene, seeded_scene
from tests.chaos.schedules import Schedule, schedule_of
from tests.chaos.stack import Ground, running_stack
from tests.simulated_exchange import spawned_exchange

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("unblocked")]


@pytest.mark.parametrize("kind", ["seeded", "tape"])
def test_an_undisturbed_run_stores_what_the_domain_makes_of_the_market(
    kind: str, ground: Ground, tape_scene: Scene, tmp_path: Path
) -> None:
    scene = seeded_scene(1) if kind == "seeded" else tape_scene

    run(ground, scene, Schedule([], []), tmp_path)


def test_whatever_is_disturbed_all_is_there_after_the_repair(
    chaos_seed: int,
    ground: Ground,
    tape_scene: Scene,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = seeded_scene(chaos_seed) if chaos_seed % 2 else tape_scene
    schedule = schedule_of(chaos_seed, scene.symbols, scene.length_s, scene.longest_cut_s)
    with capsys.disabled():
        print(f"\nseed {chaos_seed} ({scene.template}): ", end="", flush=True)

    try:
        figures = run(ground, scene, schedule, tmp_path)
    except Exception as error:
        error.add_note(f"again by: ./dev test --chaos --seed {chaos_seed}\n{schedule}")
        raise

    with capsys.disabled():
        print(figures, end=" ", flush=True)


def run(ground: Ground, scene: Scene, schedule: Schedule, folder: Path) -> str:
    """Collect a scene, with what the schedule does to it; return how long it took, in words."""
    started = time.monotonic()
    options = (*scene.options, "--speed", "10", "--hold")
    with (
        spawned_exchange(folder, *options) as exchange,
        running_stack(ground, scene.template, exchange) as stack,
    ):
        collect(stack, scene, schedule)
        repair_s = repaired(stack, scene, may_merge=schedule.may_merge_trades)
    return f"{time.monotonic() - started:.0f} s, {repair_s:.0f} s of them until repaired"
