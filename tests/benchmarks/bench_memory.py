"""Memory: a collecting process at a steady rate for half an hour must not grow.

Warm-up is the first fifth of the run; growth is the median of the last minute less the median of
the minute after the warm-up.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import psutil

from tests.benchmarks.bench_ingest import sender
from tests.benchmarks.figures import Figure

RATE = 1_000
MINUTES = float(os.environ.get("BENCH_MEMORY_MINUTES", "30"))
MOST_GROWTH_MB = 5.0
SAMPLE_S = 2.0


def run() -> list[Figure]:
    """Return the growth, and what the process held after the warm-up."""
    seconds = MINUTES * 60
    with sender(RATE, seconds, is_flat_out=False) as port:
        command = ["-m", "tests.benchmarks.ingest_collector", "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, *command, "--trades", str(int(RATE * seconds))],
            stdout=subprocess.DEVNULL,
        )
        samples = _samples(process, seconds)
    minute = max(1, int(60 / SAMPLE_S))
    warm = len(samples) // 5
    before = statistics.median(samples[warm : warm + minute])
    growth = statistics.median(samples[-minute:]) - before
    return [
        Figure(
            f"memory: growth over {MINUTES:g} min at {RATE:,} trades/s",
            growth,
            "MB",
            f"below {MOST_GROWTH_MB:g}",
            growth < MOST_GROWTH_MB,
            f"{before:.0f} MB after the warm-up, {max(samples):.0f} MB at most",
        )
    ]


def _samples(process: subprocess.Popen[bytes], seconds: float) -> list[float]:
    """Return the resident memory in MB, every few seconds until the process is done."""
    found = psutil.Process(process.pid)
    samples = []
    deadline = time.monotonic() + seconds + 60
    while process.poll() is None and time.monotonic() < deadline:
        samples.append(found.memory_info().rss / 2**20)
        time.sleep(SAMPLE_S)
    if process.poll() is None:
        process.kill()
    assert process.wait() == 0, "the collector did not store the whole tape"
    return samples[:-1]
