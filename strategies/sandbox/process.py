"""The worker's end: starts a strategy's process, asks it, and ends it when it does not answer."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Self

from numpy.typing import NDArray

from strategies.domain.errors import InvalidParameters, StrategyFailed
from strategies.sandbox.frames import BrokenFrame, read_frame, write_frame
from strategies.sandbox.limits import Limits

_ROOT: Final = Path(__file__).resolve().parents[2]
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from strategies.sandbox.child import main; main()"
)
# Starting takes a second of a busy machine; it is not the strategy's time.
_START_S: Final = 30.0
_GRACE_S: Final = 1.0
_DUMPED = re.compile(r'^  File "([^"]+)", line (\d+)', re.MULTILINE)
# Nothing else of the worker's environment: addresses and keys are none of a strategy's business.
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR", "NUMBA_CACHE_DIR")
_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


class StrategyProcess:
    """One strategy's process; it starts with the first question and anew after a failure.

    Not for several threads at once. Close it, or use it as a context.
    """

    def __init__(self, reference: str, folder: str, limits: Limits) -> None:
        self._reference, self._folder, self._limits = reference, folder, limits
        self._running: _Running | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """The id of the process while one runs."""
        return self._running.process.pid if self._running else None

    def ask(
        self,
        question: str,
        request: Mapping[str, Any] | None = None,
        arrays: Sequence[NDArray[Any]] = (),
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Return the answer. Raises StrategyFailed and InvalidParameters."""
        if self._running is None:
            self._running = _Running(self._reference, self._folder, self._limits)
        header = {"ask": question, **(request or {})}
        longest = len(arrays[0]) if arrays else 0
        try:
            answer, values = self._running.exchange(header, arrays, longest)
        except StrategyFailed:
            self.close()
            raise
        if "invalid" in answer:
            raise InvalidParameters(answer["invalid"])
        if "failed" in answer:
            # Whatever it left behind, threads or memory, is gone with its process.
            self.close()
            raise StrategyFailed(**answer["failed"])
        return answer, values

    def close(self) -> None:
        """End the process, and all that it started."""
        if self._running is not None:
            self._running.end()
            self._running = None


class _Running:
    """A started process, its pipes, and the thread that empties its output."""

    def __init__(self, reference: str, folder: str, limits: Limits) -> None:
        self._reference, self._limits = reference, limits
        self._is_first = True
        self._reason: str | None = None
        self._faults: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        numbers = (theirs_in, theirs_out, self._faults.fileno())
        bounds = (folder, limits.deadline_s, limits.memory_mb, limits.output_kb, reference)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, str(_ROOT), *map(str, (*numbers, *bounds))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={name: os.environ[name] for name in _KEPT if name in os.environ} | _ONE_THREAD,
                pass_fds=numbers,
                start_new_session=True,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._requests, self._answers = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        self._drain = threading.Thread(target=self._empty_output, name="output", daemon=True)
        self._drain.start()

    def exchange(
        self, header: dict[str, Any], arrays: Sequence[NDArray[Any]], longest: int
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Send a question and return the answer. Raises StrategyFailed when there is none."""
        seconds = self._limits.deadline_s + _GRACE_S + (_START_S if self._is_first else 0.0)
        watch = threading.Timer(seconds, self._give_up, ("it did not answer in time",))
        watch.start()
        try:
            write_frame(self._requests, header, arrays)
            answer = read_frame(self._answers, max(longest, 1))
        except (OSError, BrokenFrame) as error:
            self._give_up(f"it broke its pipe: {error}")
            answer = None
        finally:
            watch.cancel()
        self._is_first = False
        if answer is None:
            raise self._failure()
        return answer

    def end(self) -> None:
        """Kill the process group, and wait for the end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._drain.join(5.0)
        for file in (self._requests, self._answers, self._faults):
            with contextlib.suppress(OSError):
                file.close()

    def _failure(self) -> StrategyFailed:
        """Return why there was no answer: what the process left behind says where it was."""
        try:
            status: int | None = self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            status = None
        self._faults.seek(0)
        dumped = self._faults.read(100_000).decode(errors="replace")
        file, line = self._place(dumped)
        if dumped.startswith("Timeout"):
            reason = f"it took longer than {self._limits.deadline_s:g} s"
        elif status is not None and status < 0 and self._reason is None:
            reason = f"its process was ended by {signal.Signals(-status).name}"
        else:
            reason = self._reason or f"it ended its process with status {status}"
        return StrategyFailed(file, line, reason)

    def _place(self, dumped: str) -> tuple[str, int | None]:
        """Return the innermost place of a dump that is the strategy's, its file otherwise."""
        folder = str(Path(self._reference).parent)
        for file, line in _DUMPED.findall(dumped):
            if self._reference.endswith(".py") and file.startswith(folder):
                return file, int(line)
            if not self._reference.endswith(".py") and not file.startswith((str(_ROOT), "<")):
                return file, int(line)
        return self._reference, None

    def _empty_output(self) -> None:
        """Read what the process prints; end it when that is too much for one life."""
        left = 8 * self._limits.output_kb * 1024
        pipe = self.process.stdout
        if pipe is None:
            return
        with pipe:
            while piece := os.read(pipe.fileno(), 65_536):
                left -= len(piece)
                if left < 0:
                    self._give_up("it wrote too much to its output")
                    return

    def _give_up(self, reason: str) -> None:
        if self.process.poll() is None:
            self._reason = self._reason or reason
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
