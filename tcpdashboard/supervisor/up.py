"""`./dev up`: make sure that nothing is in the way, then run everything until told to stop."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

from tcpdashboard import env
from tcpdashboard.common.logs import wants_color
from tcpdashboard.embedded.attaching import (
    alone,
    keep_secret_key,
    missing_engines,
    only_supervisor,
    share,
    wanted_engines,
)
from tcpdashboard.embedded.engines import Engines, record_path, stop_recorded, write_record
from tcpdashboard.embedded.folders import claim
from tcpdashboard.supervisor import leftovers
from tcpdashboard.supervisor.conditions import listen, require_disk_space
from tcpdashboard.supervisor.console import Console, log_file
from tcpdashboard.supervisor.loop import Supervisor
from tcpdashboard.supervisor.options import Options
from tcpdashboard.supervisor.plan import Plan
from tcpdashboard.supervisor.source import Source

LOCK_TIMEOUT_S = 10.0


def up(options: Options) -> int:
    """Run all programs; return the exit code. Raises CannotStartError before anything runs."""
    started = time.monotonic()
    claim(env.VAR_DIR)
    require_disk_space(env.VAR_DIR)
    with only_supervisor(env.VAR_DIR):
        # First, because a web process that was left running still holds the port.
        for name in leftovers.stop_leftovers(env.VAR_DIR):
            sys.stdout.write(f"stopped {name}, which an earlier start had left running\n")
        with (
            listen(options.host, options.port) as listener,
            alone(env.VAR_DIR, LOCK_TIMEOUT_S) as use,
        ):
            stop_recorded(env.VAR_DIR)
            share(use)
            return _run(options, listener, started)


def _run(options: Options, listener: socket.socket, started: float) -> int:
    keep_secret_key(env.VAR_DIR, make=True)
    plan = Plan(
        base_dir=env.BASE_DIR,
        var_dir=env.VAR_DIR,
        engines=Engines(env.VAR_DIR, only=wanted_engines(missing_engines())),
        source=Source.of(options.exchange, options.speed, env.VAR_DIR / "run"),
        address=_reachable(listener),
        listener_fd=listener.fileno(),
        has_color=wants_color(sys.stdout),
    )
    programs = plan.programs()
    names = [program.name for program in programs]
    file = log_file(env.LOG_DIR, file_mb=env.LOG_FILE_MB, files=env.LOG_FILES, days=env.LOG_DAYS)
    console = Console(names, file)
    is_first = not (env.VAR_DIR / "static").exists()
    had_password = _password_file().exists()

    def announce() -> None:
        console.announce(f"ready after {time.monotonic() - started:.1f} s: {_url(plan.address)}")
        _tell_login(console, show=not had_password)
        console.announce(f"{plan.source.described()}; Ctrl-C stops everything")

    return Supervisor(
        programs,
        base_dir=env.BASE_DIR,
        console=console,
        # The first time there is nothing to look at without the seed.
        ready_with=tuple({"web", *(["seed_demo"] if is_first else [])} & set(names)),
        on_ready=announce,
        on_change=lambda pids: _record(plan, pids),
    ).run()


def _record(plan: Plan, pids: dict[str, int]) -> None:
    engines = {name: pid for name, pid in pids.items() if name in plan.engines.engines}
    leftovers.record(plan.var_dir, {n: pid for n, pid in pids.items() if n not in engines})
    if pids:
        write_record(plan.var_dir, {**plan.engines.urls, **plan.source.env}, engines)
    else:
        record_path(plan.var_dir).unlink(missing_ok=True)


def _tell_login(console: Console, *, show: bool) -> None:
    kept = _password_file()
    if not kept.exists():
        whose = f"of {env.ADMIN_PASSWORD}" if env.given(env.ADMIN_PASSWORD) else "you chose"
        console.announce(f"log in as admin with the password {whose}")
    elif show:
        secret = kept.read_text().strip()
        console.announce(f"log in as admin, password {secret} (kept in {kept})", is_secret=True)
    else:
        console.announce(f"log in as admin; the password that was made is in {kept}")


def _password_file() -> Path:
    return env.VAR_DIR / "admin-password"


def _reachable(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - not bound to


def _url(address: tuple[str, int]) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}/"
