"""The hash of a strategy's code moves with whatever it computes by, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backtests.storage.sources import code_hash
from strategies.domain.registry import STRATEGIES

ROOT = Path(__file__).resolve().parents[2]
MODULES = {key: kind.__module__ for key, kind in STRATEGIES.items()}
KERNELS = "marketdata/domain/indicators/kernels"


@pytest.fixture
def copy(tmp_path):
    """A copy of the project's code, to be changed."""
    for app in ("marketdata", "strategies"):
        shutil.copytree(ROOT / app / "domain", tmp_path / app / "domain")
    return tmp_path


def moved_by(root, path):
    """Return the keys of the strategies whose hash is another once a file has changed."""
    before = {key: code_hash(module, root) for key, module in MODULES.items()}
    with (root / path).open("a") as file:
        file.write("# changed\n")
    code_hash.cache_clear()
    return {key for key, module in MODULES.items() if code_hash(module, root) != before[key]}


@pytest.mark.parametrize(
    "path",
    [
        f"{KERNELS}/smoothing.py",
        f"{KERNELS}/sliding.py",
        "marketdata/domain/indicators/momentum.py",
        "marketdata/domain/columns.py",
        "strategies/domain/kernels/comparing.py",
        "strategies/domain/uses.py",
    ],
)
def test_what_all_of_them_use_moves_the_hash_of_all(copy, path):
    assert moved_by(copy, path) == set(STRATEGIES)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("strategies/domain/builtin/rsi.py", {"rsi"}),
        ("strategies/domain/kernels/reversal.py", {"rsi"}),
        ("strategies/domain/kernels/crossing.py", {"ema_crossover"}),
        ("strategies/domain/kernels/signal_crossing.py", {"macd"}),
        ("strategies/domain/checks.py", set()),
        ("strategies/domain/registry.py", set()),
    ],
)
def test_what_one_of_them_uses_moves_the_hash_of_that_one(copy, path, keys):
    assert moved_by(copy, path) == keys


def test_the_same_code_has_one_hash_wherever_it_lies(copy):
    assert {code_hash(module) for module in MODULES.values()} == {
        code_hash(module, copy) for module in MODULES.values()
    }
    assert len({code_hash(module) for module in MODULES.values()}) == len(MODULES)
