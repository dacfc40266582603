"""From a fresh clone to the printed address, the first time and later ones, and back again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.figures import Figure

BASE = Path(__file__).resolve().parents[2]
UNDER_WAY_S = 10.0
"""After this everything is collected and loaded, and has something to put away."""
GIVEN = ("DATABASE_URL", "REDIS_URL", "TCPD_VAR", "TCPD_SECRET_KEY", "TCPD_LOG_LEVEL")


def run() -> list[Figure]:
    """Return the seconds that each step of a newcomer's way takes."""
    with tempfile.TemporaryDirectory(prefix="tcpd-start-") as folder:
        installed_s = _install(Path(folder) / "clone")
        var = Path(folder) / "var"
        var.mkdir(mode=0o711)
        first_s, first_stop_s = _start_and_stop(var)
        later_s, later_stop_s = _start_and_stop(var)
    whole_s, stop_s = installed_s + first_s, max(first_stop_s, later_stop_s)
    return [
        Figure("start: installing requirements.txt", installed_s, "s", note="as fast as the index"),
        Figure("start: the first one, until it is ready", first_s, "s", note="an empty database"),
        Figure("start: the first one with downloads", whole_s, "s", "below 240", whole_s < 240),
        Figure("start: a later one", later_s, "s", "below 10", later_s < 10),
        Figure("stop: Ctrl-C until nothing runs", stop_s, "s", "within 10", stop_s <= 10),
    ]


def _install(clone: Path) -> float:
    """Return how long ./dev takes to install what the processes need, in an empty folder."""
    clone.mkdir()
    for name in ("dev", "requirements.txt"):
        shutil.copy(BASE / name, clone)
    (clone / "manage.py").write_text("")
    started = time.perf_counter()
    subprocess.run([clone / "dev", "manage"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _start_and_stop(var: Path) -> tuple[float, float]:
    """Return how long `./dev up` takes until it is ready, and until it has ended after Ctrl-C."""
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
    started = time.perf_counter()
    house = subprocess.Popen(
        [sys.executable, BASE / "dev", "up", "--port", "0", "--exchange", "okx-sim"],
        env={**environment, "TCPD_VAR": str(var)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert house.stdout is not None
    said = []
    for line in house.stdout:
        said.append(line)
        if "ready after" in line:
            break
    else:
        raise RuntimeError("it ended before it was ready:\n" + "".join(said[-20:]))
    ready_s = time.perf_counter() - started
    time.sleep(UNDER_WAY_S)
    started = time.perf_counter()
    house.send_signal(signal.SIGINT)
    house.communicate()
    return ready_s, time.perf_counter() - started
