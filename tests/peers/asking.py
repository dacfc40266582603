"""Asking the other programs: arrays in a file to them, figures and arrays in files back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

BASE = Path(__file__).resolve().parents[2]
FOLDER = BASE / "var" / "peers"
Answer = tuple[dict[str, Any], dict[str, Any]]
MISSING = (
    f"vectorbt and backtesting.py are not in {FOLDER}: ./dev bench or ./dev test puts them there"
)


def are_there() -> bool:
    """Return whether the other programs were installed."""
    return (FOLDER / "vectorbt").is_dir() and (FOLDER / "backtesting").is_dir()


def ask(what: str, folder: Path, given: list[dict[str, Any]], **told: Any) -> list[Answer]:
    """Return figures and arrays of a function of `answering` for each of `given`.

    All in one process of another interpreter: importing and compiling takes longer than the rest.
    The figures hold the `seconds` that each took, without either.
    """
    folder.mkdir(exist_ok=True)
    for number, arrays in enumerate(given):
        np.savez(folder / f"given-{number}.npz", **arrays)
    command = [sys.executable, "-W", "ignore", "-m", "tests.peers.answering", what]
    ran = subprocess.run(
        [*command, str(folder), str(len(given)), json.dumps(told)],
        cwd=BASE,
        env={
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "PYTHONPATH": str(FOLDER),
            # Compiling takes vectorbt half a minute, once.
            "NUMBA_CACHE_DIR": str(BASE / "var" / "numba-peers"),
            "MPLCONFIGDIR": str(folder),
        },
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise RuntimeError(f"{what} failed:\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}")
    return [_answer(folder, number) for number in range(len(given))]


def _answer(folder: Path, number: int) -> Answer:
    with np.load(folder / f"answer-{number}.npz") as kept:
        arrays = {name: kept[name] for name in kept.files}
    return json.loads((folder / f"answer-{number}.json").read_text()), arrays
