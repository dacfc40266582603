"""Which programs make up an installation on one machine, and what each needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tcpdashboard.embedded.engines import Engines
from tcpdashboard.embedded.postgres import ENVIRONMENT
from tcpdashboard.env import ADMIN_PASSWORD
from tcpdashboard.supervisor.conditions import takes_connections, web_answers
from tcpdashboard.supervisor.leftovers import MARK
from tcpdashboard.supervisor.program import Kind, Program
from tcpdashboard.supervisor.source import Source

LIVE_PATH = "/health/live"
MAKES_FIRST_USER = "prepare"
GROUND = (MAKES_FIRST_USER, "exchange")
QUIET = ("--disable-prefetch", "--without-mingle", "--without-gossip", "--without-heartbeat")
WORKER = ("-P", "threads", *QUIET)
# Processes, because threads would share one processor; each is renewed before it grows large.
COMPUTER = ("-P", "prefork", "--max-memory-per-child=2000000", *QUIET)


@dataclass(frozen=True, slots=True)
class Plan:
    """The programs of one start; `address` is where the web process is reached."""

    base_dir: Path
    var_dir: Path
    engines: Engines
    source: Source
    address: tuple[str, int]
    listener_fd: int
    has_color: bool

    def programs(self) -> list[Program]:
        """Return all programs, in the order in which they are started and shown."""
        return [
            *(self._engine(name) for name in self.engines.engines),
            self._probe(),
            self._simulator(),
            self._run_once(MAKES_FIRST_USER, Kind.STEP, tuple(self.engines.engines)),
            self._web(),
            *self._seed(),
            self._run_once("load_strategy_configs", Kind.TASK, (MAKES_FIRST_USER, "web"), "--once"),
            # Ten seconds of work at the first start, and none later: so that no page waits for it.
            self._run_once("compile_kernels", Kind.TASK, (MAKES_FIRST_USER, "web")),
            self._worker("worker-collect", "collect", threads=16),
            self._worker("worker-light", "ticks,default", threads=12),
            self._worker("worker-repair", "repair", threads=6),
            self._backtests(),
            self._celery("beat", "beat", "--pidfile="),
        ]

    def _engine(self, name: str) -> Program:
        engine = self.engines.engines[name]
        return Program(
            name=name,
            kind=Kind.ENGINE,
            command=engine.command,
            env=lambda: ENVIRONMENT,
            before=engine.prepare,
            is_ready=engine.answers,
            user=lambda: engine.user,
            stop_signal=engine.stop_signal,
        )

    def _probe(self) -> Program:
        probe = [sys.executable, "-m", "tcpdashboard.supervisor.probe", str(self.source.file)]
        return Program(
            name="probe",
            kind=Kind.STEP,
            command=lambda: probe,
            env=self._env("probe"),
            is_wanted=lambda: self.source.must_be_probed,
        )

    def _simulator(self) -> Program:
        options = ["--port", str(self.source.port), "--tls-port", str(self.source.tls_port)]
        options += ["--state", str(self.var_dir / "simulator"), "--speed", f"{self.source.speed:g}"]
        return Program(
            name="exchange",
            # Like an engine it outlives its readers: they end in peace, not by a lost feed.
            kind=Kind.ENGINE,
            needs=("probe",),
            command=self._manage("simulate_exchange", *options),
            env=self._env("exchange"),
            is_ready=lambda: takes_connections(self.source.port),
            is_wanted=lambda: self.source.is_simulated,
        )

    def _web(self) -> Program:
        return Program(
            name="web",
            needs=("prepare", "probe"),
            command=self._manage("serve", "--fd", str(self.listener_fd)),
            env=self._env("web"),
            is_ready=lambda: web_answers(self.address, LIVE_PATH),
            pass_fds=(self.listener_fd,),
        )

    def _seed(self) -> list[Program]:
        commands = self.base_dir / "marketdata" / "management" / "commands"
        if not (commands / "seed_demo.py").exists():
            return []
        return [self._run_once("seed_demo", Kind.TASK, GROUND)]

    def _run_once(self, name: str, kind: Kind, needs: tuple[str, ...], *options: str) -> Program:
        command = self._manage(name, *options)
        return Program(name=name, kind=kind, needs=needs, command=command, env=self._env(name))

    def _worker(self, name: str, queues: str, *, threads: int) -> Program:
        # Without prefetching, because one worker must not hold back what another could run.
        options = ["-Q", queues, "-c", str(threads), "-n", f"{name}@%h"]
        return self._celery(name, "worker", *options, *WORKER)

    def _backtests(self) -> Program:
        name, processes = "worker-backtests", str(max(1, (os.cpu_count() or 2) - 1))
        options = ["-Q", "backtests", "-c", processes, "-n", f"{name}@%h"]
        return self._celery(name, "worker", *options, *COMPUTER)

    def _celery(self, name: str, *arguments: str) -> Program:
        command = [sys.executable, "-m", "celery", "-A", "tcpdashboard", "-q", *arguments]
        # After the web process, which a person waits for and which needs the processor now.
        needs = (*GROUND, "web")
        return Program(name=name, needs=needs, command=lambda: command, env=self._env(name))

    def _manage(self, *arguments: str) -> Callable[[], list[str]]:
        return lambda: [sys.executable, str(self.base_dir / "manage.py"), *arguments]

    def _env(self, name: str) -> Callable[[], dict[str, str]]:
        # Only the first user's maker needs the password.
        withheld = () if name == MAKES_FIRST_USER else (ADMIN_PASSWORD, f"{ADMIN_PASSWORD}_FILE")
        # Asked at the start of a program: addresses are not known before.
        return lambda: {
            **{name: value for name, value in os.environ.items() if name not in withheld},
            **self.engines.urls,
            **self.source.env,
            "TCPD_PROCESS": name,
            "TCPD_LOG_COLOR": str(self.has_color),
            "TCPD_VAR": str(self.var_dir),
            "DJANGO_SETTINGS_MODULE": "tcpdashboard.settings",
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.var_dir),
        }
