"""How long a soak is, how many bots there are, and the ground it stands on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.stack import Ground, prepare, running_ground
from tests.simulated_exchange import spawned_exchange
from tests.soak.scenes import soak_scene


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "soak_bots" in metafunc.fixturenames:
        counts = metafunc.config.getoption("--bots").split(",")
        metafunc.parametrize("soak_bots", [int(count) for count in counts])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The long ones are run when somebody says how long.
    if config.getoption("--hours") is None:
        long_ones = [item for item in items if "soak_bots" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in long_ones]
        config.hook.pytest_deselected(items=long_ones)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Ground]:
    """Engines with a template in which the soak's instruments are collected."""
    with running_ground() as ground:
        scene = soak_scene(1, 1)
        folder = tmp_path_factory.mktemp("template")
        with django_db_blocker.unblock(), spawned_exchange(folder, *scene.options) as exchange:
            prepare(ground, scene, exchange)
        yield ground


@pytest.fixture(scope="session")
def soak_seed(pytestconfig: pytest.Config) -> int:
    """The seed that was asked for, or any."""
    given: int | None = pytestconfig.getoption("--seed")
    return random.SystemRandom().randrange(2**31) if given is None else given


@pytest.fixture
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    """Let this process read the databases of the runs."""
    with django_db_blocker.unblock():
        yield
