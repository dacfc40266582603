"""Runs programs: in the order of their needs, again when they die, and none after a stop.

One thread and no locks: the loop wakes for output, for signals and ten times a second.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.processes import kill_group, spawn
from tcpdashboard.supervisor.console import Console
from tcpdashboard.supervisor.program import ASK_EVERY_S, Kind, Program, Running

TICK_S = 0.1
# Together below the ten seconds that a person waits after Ctrl-C.
PROGRAMS_GRACE_S = 6.0
ENGINES_GRACE_S = 2.5
LONGEST_LINE = 64 * 1024
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Starts `programs` and keeps them running until a signal or a failed step.

    `on_ready` is called once, when `ready_with` are all ready; `on_change` with the numbers of the
    running processes by name, whenever one started or ended.
    """

    def __init__(
        self,
        programs: list[Program],
        *,
        base_dir: Path,
        console: Console,
        ready_with: tuple[str, ...],
        on_ready: Callable[[], None],
        on_change: Callable[[dict[str, int]], None],
    ) -> None:
        self.programs = {program.name: Running(program) for program in programs}
        self.base_dir = base_dir
        self.console = console
        self.ready_with = ready_with
        self.on_ready = on_ready
        self.on_change = on_change
        self.exit_code = 0
        self.stop_requests = 0
        self._announced = False
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Run until told to stop; return the exit code: 0 after a signal, 1 after a failed step."""
        wakeup, write_end = socket.socketpair()
        wakeup.setblocking(False)
        write_end.setblocking(False)
        signal.set_wakeup_fd(write_end.fileno(), warn_on_full_buffer=False)
        previous = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        self._selector.register(wakeup, selectors.EVENT_READ)
        try:
            while not self.stop_requests:
                self._tick()
                self._read(TICK_S)
        except CannotStartError as error:
            self.console.announce(str(error))
            self.exit_code = 2
        finally:
            self._stop_all()
            signal.set_wakeup_fd(-1)
            for number, handler in previous.items():
                signal.signal(number, handler)
            wakeup.close()
            write_end.close()
        return self.exit_code

    def _tick(self) -> None:
        for running in self.programs.values():
            if running.process is not None and not running.is_alive:
                self._on_exit(running)
            elif running.process is None and self._may_start(running):
                if running.program.is_wanted():
                    self._start(running)
                else:
                    running.is_ready = running.is_over = True
            else:
                running.check_ready()
        if not self._announced and all(self.programs[n].is_ready for n in self.ready_with):
            self._announced = True
            self.on_ready()

    def _may_start(self, running: Running) -> bool:
        return (
            not running.is_over
            and time.monotonic() >= running.not_before
            and all(self.programs[need].is_ready for need in running.program.needs)
        )

    def _start(self, running: Running) -> None:
        program = running.program
        program.before()
        running.process = spawn(
            program.command(),
            env=program.env(),
            output=subprocess.PIPE,
            user=program.user(),
            death_signal=program.stop_signal,
            cwd=Path("/") if program.kind is Kind.ENGINE else self.base_dir,
            pass_fds=program.pass_fds,
        )
        running.started_at = time.monotonic()
        running.ask_again_at = running.started_at + ASK_EVERY_S
        assert running.process.stdout is not None
        os.set_blocking(running.process.stdout.fileno(), False)
        self._selector.register(running.process.stdout, selectors.EVENT_READ, running)
        self._record()

    def _on_exit(self, running: Running) -> None:
        assert running.process is not None
        code, kind = running.process.returncode, running.program.kind
        self._close_output(running)
        # Children that outlived their leader go with it.
        kill_group(running.process.pid)
        running.process = None
        if code == 0 and kind in (Kind.STEP, Kind.TASK):
            running.is_ready = running.is_over = True
        elif kind is Kind.STEP:
            self.console.announce(f"{running.name} failed ({_how(code)}): see its lines above")
            self.exit_code, self.stop_requests = 1, 1
        else:
            # Nothing waits for a task that failed: it is tried again beside the rest.
            running.is_ready = running.is_ready or kind is Kind.TASK
            delay = running.delay_restart()
            self.console.say(f"{running.name} ended ({_how(code)}); again in {delay:g} s")
        self._record()

    def _read(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            running: Running | None = key.data
            if running is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 1024)
            else:
                self._pass_on(running, key.fd)

    def _pass_on(self, running: Running, fd: int) -> bool:
        try:
            data = os.read(fd, LONGEST_LINE)
        except BlockingIOError:
            return False
        running.output += data
        *lines, rest = running.output.split(b"\n")
        if len(rest) > LONGEST_LINE or not data:
            lines, rest = [*lines, rest], bytearray()
        running.output = rest
        for line in lines:
            if line.strip():
                self.console.line(running.name, line.decode(errors="replace").rstrip())
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)
        return bool(data)

    def _close_output(self, running: Running) -> None:
        assert running.process is not None
        if (pipe := running.process.stdout) is not None:
            while self._pass_on(running, pipe.fileno()):
                pass
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe)
            pipe.close()

    def _stop_all(self) -> None:
        started = time.monotonic()
        self.console.say("stopping")
        every = self.programs.values()
        self._stop([r for r in every if r.program.kind is not Kind.ENGINE], PROGRAMS_GRACE_S)
        self._stop([r for r in every if r.program.kind is Kind.ENGINE], ENGINES_GRACE_S)
        self._record()
        self.console.say(f"stopped after {time.monotonic() - started:.1f} s")

    def _stop(self, group: list[Running], grace_s: float) -> None:
        alive = [running for running in group if running.is_alive]
        # Once each: Celery's threads pool takes a second signal as a reason to drop its work.
        for running in alive:
            assert running.process is not None
            running.process.send_signal(running.program.stop_signal)
        deadline, requests = time.monotonic() + grace_s, self.stop_requests
        while any(r.is_alive for r in alive) and time.monotonic() < deadline:
            if self.stop_requests > max(1, requests):
                break
            self._read(TICK_S)
        for running in alive:
            assert running.process is not None
            if running.is_alive:
                self.console.say(f"{running.name} did not end in time: killed")
            kill_group(running.process.pid)
            running.process.wait()
            self._close_output(running)
            running.process = None

    def _record(self) -> None:
        self.on_change({r.name: r.process.pid for r in self.programs.values() if r.process})

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
