"""Nothing is lost or doubled, whatever is killed, and however often."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.chaos.running import repaired
from tests.chaos.scenes import Scene
from tests.chaos.stack import Ground, Stack, eventually, running_stack
from tests.simulated_exchange import spawned_exchange

DOWN_SPEED = 0.5
"""So slow while something is away that the tape lasts for all kills, on a busy machine too."""

RECOVERY_S = 20.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("unblocked")]


@pytest.fixture
def stack(ground: Ground, tape_scene: Scene, tmp_path_factory) -> Iterator[Stack]:
    """A stack that collects the tape, with its first trades stored."""
    options = (*tape_scene.options, "--speed", str(tape_scene.speed), "--hold")
    with (
        spawned_exchange(tmp_path_factory.mktemp("exchange"), *options) as exchange,
        running_stack(ground, tape_scene.template, exchange) as stack,
    ):
        stack.start("beat", "worker")
        until_stored(stack, 1, 30)
        yield stack


def test_killing_the_worker_twenty_times_changes_nothing(
    stack: Stack, tape_scene: Scene, first_seed: int
) -> None:
    def kill_and_start() -> None:
        stack.kill("worker")
        stack.start("worker")

    recoveries = disturb(stack, tape_scene, first_seed, 20, kill_and_start)

    assert len(recoveries) == 20
    assert max(recoveries) < RECOVERY_S
    repaired(stack, tape_scene)


@pytest.mark.parametrize("engine", ["postgres", "valkey"])
def test_killing_an_engine_under_the_worker_changes_nothing(
    stack: Stack, tape_scene: Scene, first_seed: int, engine: str
) -> None:
    recoveries = disturb(
        stack, tape_scene, first_seed, 6, lambda: stack.ground.engines.restart(engine)
    )

    assert len(recoveries) == 6
    assert max(recoveries) < RECOVERY_S
    repaired(stack, tape_scene)


def disturb(
    stack: Stack, scene: Scene, seed: int, times: int, strike: Callable[[], None]
) -> list[float]:
    """Strike at random places of the tape; return how long each recovery took, in seconds.

    A place that has passed while the last strike was repaired is struck at once.
    """
    whole = len(scene.market.matches(scene.symbols[0], scene.start_ms - 1, scene.end_ms - 1))
    print(f"seed {seed}")
    places = sorted(random.Random(seed).sample(range(whole // 50, whole * 9 // 10), times))
    recoveries = []
    for place in places:
        until_stored(stack, place, 60)
        stack.exchange.post("speed", {"speed": DOWN_SPEED})
        strike()
        recoveries.append(until_stored(stack, stack.stored_trades() + 1, 2 * RECOVERY_S))
        stack.exchange.post("speed", {"speed": scene.speed})
    return recoveries


def until_stored(stack: Stack, trades: int, within_s: float) -> float:
    """Wait until so many trades are stored; return how long it took, in seconds."""
    return eventually(
        stack, f"{trades} trades stored", lambda: stack.stored_trades() >= trades, within_s
    )
