"""`./dev bench [names] [--write]`: every benchmark with its ceiling, in one run.

Uses the engines of DATABASE_URL and REDIS_URL, or its own; what it stores is thrown away.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tcpdashboard.compiled import keep_compiled_code
from tests.benchmarks.figures import HEADER, Figure

NAMES = (
    "start",
    "ingest",
    "storage",
    "fanout",
    "chart",
    "indicators",
    "backtests",
    "search",
    "bots",
    "repair",
    "scan",
    "retention",
    "scale",
    "crowd",
    "memory",
)
LONG = ("memory",)
BASE = Path(__file__).resolve().parents[2]
REPORT = BASE / "docs" / "benchmarks.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; default: all but memory")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    arguments = parser.parse_args()
    names = arguments.names or [name for name in NAMES if name not in LONG]
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    with_engines(lambda: measure(names, is_written=arguments.write))
    return 0


def with_engines(action: object) -> None:
    """Run `action` with migrated engines of its own."""
    keep_compiled_code(BASE, BASE / "var")
    folder = Path(tempfile.mkdtemp(prefix="tcpd-bench-"))
    folder.chmod(0o711)
    # Before the first import that looks where files are to lie.
    os.environ["TCPD_VAR"] = str(folder)
    from tcpdashboard.embedded import Engines

    engines = Engines(folder)
    engines.start()
    os.environ.update(engines.urls, DJANGO_SETTINGS_MODULE="tcpdashboard.settings")
    os.environ.setdefault("TCPD_SECRET_KEY", secrets.token_urlsafe(48))
    os.environ.setdefault("TCPD_LOG_LEVEL", "WARNING")
    # One person asks for more windows here than people may; counting them is measured as well.
    os.environ.setdefault("TCPD_CHART_RATE", "100000/min")
    try:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        assert callable(action)
        action()
    finally:
        engines.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(names: list[str], *, is_written: bool) -> None:
    """Run the benchmarks and print their tables as they come."""
    print(f"{machine()}, {datetime.now(UTC):%Y-%m-%d}\n")
    for name in names:
        figures: list[Figure] = importlib.import_module(f"tests.benchmarks.bench_{name}").run()
        table = "\n".join([HEADER, *(figure.row() for figure in figures)])
        print(f"## {name}\n\n{table}\n", flush=True)
        if is_written:
            write(name, table)


def write(name: str, table: str) -> None:
    """Replace a benchmark's table in the report; the words around it stay."""
    marked = f"<!-- {name} -->\n{machine()}, {datetime.now(UTC):%Y-%m-%d}\n\n{table}\n<!-- end -->"
    text = REPORT.read_text()
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- end -->", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{REPORT} has no place for {name}: add <!-- {name} --><!-- end -->")
    REPORT.write_text(pattern.sub(lambda _: marked, text))


def machine() -> str:
    """Return processor, cores, memory and Python of this machine."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    assert memory is not None
    return (
        f"{cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores, "
        f"{int(memory[1]) / 2**20:.0f} GiB, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
