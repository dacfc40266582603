"""How many runs of chaos there are and their seeds, and the ground they stand on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.chaos.scenes import Scene, seeded_scene, write_tape
from tests.chaos.scenes import tape_scene as scene_of_tape
from tests.chaos.stack import Ground, prepare, running_ground
from tests.simulated_exchange import spawned_exchange

RUNS: Final = 2
"""In the normal suite; ./dev test --chaos makes more."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # By number: the workers of pytest-xdist must agree on the names of tests.
    if "run_number" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("--runs")
        given = metafunc.config.getoption("--seed")
        runs = wanted or (RUNS if given is None else 1)
        metafunc.parametrize("run_number", range(runs))


@pytest.fixture(scope="session")
def first_seed(pytestconfig: pytest.Config) -> int:
    """The seed of the first run: the one that was asked for, or any."""
    given: int | None = pytestconfig.getoption("--seed")
    # Even, so that two runs see both markets.
    return random.SystemRandom().randrange(0, 2**31, 2) if given is None else given


@pytest.fixture
def chaos_seed(first_seed: int, run_number: int) -> int:
    """This run's seed; it is printed, and told again where the run fails."""
    return first_seed + run_number


@pytest.fixture(scope="session")
def tape_scene(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    recorded = next((shared_data / "tape-binance-spot").glob("*trades*.csv.gz"))
    return scene_of_tape(write_tape(recorded, tmp_path_factory.mktemp("tape") / "tape.csv"))


@pytest.fixture(scope="session")
def ground(
    tape_scene: Scene, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[Ground]:
    """Engines with a template for both markets, for all tests of the session."""
    with running_ground() as ground:
        for scene in (seeded_scene(1), tape_scene):
            folder = tmp_path_factory.mktemp(scene.template)
            with django_db_blocker.unblock(), spawned_exchange(folder, *scene.options) as exchange:
                prepare(ground, scene, exchange)
        yield ground


@pytest.fixture
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    """Let this process read the databases of the runs."""
    with django_db_blocker.unblock():
        yield
