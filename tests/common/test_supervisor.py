"""The supervisor: order, restarts, one log, and nothing left behind."""

import contextlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tcpdashboard.embedded.errors import CannotStartError
from tcpdashboard.embedded.folders import claim
from tcpdashboard.processes import ProcessIdentity, processes_with, stop_groups, wait_until
from tcpdashboard.supervisor import leftovers
from tcpdashboard.supervisor.conditions import listen, require_disk_space
from tcpdashboard.supervisor.console import Console, log_file
from tcpdashboard.supervisor.loop import Supervisor
from tcpdashboard.supervisor.options import parse_options
from tcpdashboard.supervisor.plan import Plan
from tcpdashboard.supervisor.probe import reaches_okx
from tcpdashboard.supervisor.program import Kind, Program, Running
from tcpdashboard.supervisor.source import Source

ROOT = settings.BASE_DIR
# A busy machine may take its time: how long is not what these tests are about.
READY_S = 150
FOREVER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('stubborn', flush=True); time.sleep(600)"
)


def program(name, code=FOREVER, **options):
    options.setdefault("env", lambda: dict(os.environ))
    return Program(name=name, command=lambda: [sys.executable, "-uc", code], **options)


class Recorder:
    """Runs a supervisor in this process and keeps what it said."""

    def __init__(self):
        self.out = io.StringIO()
        self.pids = {}
        self.changes = []

    def run(self, *programs, ready_with=(), on_ready=None):
        def note(pids):
            self.pids.update(pids)
            self.changes.append(dict(pids))

        return Supervisor(
            list(programs),
            base_dir=ROOT,
            console=Console([p.name for p in programs], None, self.out),
            ready_with=ready_with or tuple(p.name for p in programs),
            on_ready=on_ready or stop,
            on_change=note,
        ).run()

    @property
    def said(self):
        return self.out.getvalue()


def stop():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def recorder():
    return Recorder()


def test_ctrl_c_ends_everything_with_exit_code_0(recorder):
    code = recorder.run(
        program("a"), program("b"), on_ready=lambda: os.kill(os.getpid(), signal.SIGINT)
    )
    assert code == 0
    assert not any(psutil.pid_exists(pid) for pid in recorder.pids.values())
    assert recorder.changes[-1] == {}


def test_a_program_starts_after_what_it_needs(recorder):
    recorder.run(
        program("last", "print('last runs')", kind=Kind.TASK, needs=("first",)),
        program("first", "print('first ran')", kind=Kind.STEP),
    )
    assert recorder.said.index("first ran") < recorder.said.index("last runs")


def test_a_service_counts_when_it_answers_not_when_it_runs(recorder, tmp_path):
    flag = tmp_path / "open"
    slow = program(
        "slow",
        f"import time, pathlib; time.sleep(0.5); pathlib.Path({str(flag)!r}).touch(); {FOREVER}",
        is_ready=flag.exists,
    )
    after = program(
        "after", f"import os; print(os.path.exists({str(flag)!r}))", kind=Kind.TASK, needs=("slow",)
    )
    recorder.run(slow, after)
    assert re.search(r"^after +\| True$", recorder.said, re.MULTILINE)


def test_what_does_not_run_is_not_asked(recorder):
    asked = []
    recorder.run(
        program("first", "import time; time.sleep(0.7)", kind=Kind.STEP),
        program("second", is_ready=lambda: asked.append("first" in recorder.pids) or True,
                needs=("first",)),
    )  # fmt: skip
    assert len(asked) == 1
    assert "second" not in next(pids for pids in recorder.changes if "first" in pids)


def test_what_is_not_wanted_counts_as_there(recorder):
    recorder.run(
        program("unwanted", is_wanted=lambda: False),
        program("other", "print('hi')", kind=Kind.TASK, needs=("unwanted",)),
    )
    assert "unwanted" not in recorder.pids
    assert "hi" in recorder.said


def test_what_dies_is_started_again(recorder, tmp_path):
    flag = tmp_path / "died"
    code = (
        f"import pathlib, os, time; f = pathlib.Path({str(flag)!r})\n"
        "if not f.exists(): f.touch(); os._exit(3)\n"
        "print('second life', flush=True); time.sleep(600)"
    )
    recorder.run(program("a", code, is_ready=lambda: "second life" in recorder.said))
    assert "a ended (exit code 3); again in 0.5 s" in recorder.said


def test_a_killed_program_is_named_with_its_signal(recorder):
    recorder.run(
        program("a", "import os; os.kill(os.getpid(), 9)", is_ready=lambda: False),
        program("b", is_ready=lambda: "a ended" in recorder.said),
        ready_with=("b",),
    )
    assert "a ended (killed by SIGKILL)" in recorder.said


def test_delays_grow_to_a_cap_and_start_over_after_a_healthy_run():
    running = Running(program("a"))
    running.started_at = time.monotonic()
    delays = [running.delay_restart() for _ in range(9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    running.started_at = time.monotonic() - 31
    assert running.delay_restart() == 0.5


def test_a_failed_step_stops_everything_with_exit_code_1(recorder):
    code = recorder.run(
        program("a"), program("step", "raise SystemExit('no such table')", kind=Kind.STEP)
    )
    assert code == 1
    assert "no such table" in recorder.said
    assert "step failed (exit code 1): see its lines above" in recorder.said
    assert not any(psutil.pid_exists(pid) for pid in recorder.pids.values())


def test_a_failed_task_is_tried_again_and_holds_nobody_up(recorder):
    recorder.run(program("task", "raise SystemExit(4)", kind=Kind.TASK))
    assert "task ended (exit code 4); again in" in recorder.said


def test_an_engine_that_cannot_be_prepared_is_one_sentence_and_exit_code_2(recorder):
    def refuse():
        raise CannotStartError("the folder is not yours")

    assert recorder.run(program("engine", kind=Kind.ENGINE, before=refuse)) == 2
    assert "the folder is not yours" in recorder.said


@pytest.mark.slow
def test_a_program_that_does_not_end_is_killed_in_time_with_its_children(recorder):
    family = (
        "import subprocess, sys;"
        f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]);"
        f"exec({STUBBORN!r})"
    )
    started = []
    recorder.run(
        program("a", family, is_ready=lambda: recorder.said.count("stubborn") == 2),
        on_ready=lambda: (started.append(time.monotonic()), stop()),
    )
    assert time.monotonic() - started[0] < 10
    assert "a did not end in time: killed" in recorder.said
    assert wait_until(lambda: _group(recorder.pids["a"]) == [], 30)


def test_a_second_ctrl_c_does_not_wait(recorder):
    def twice():
        stop()
        threading.Timer(0.5, stop).start()

    started = time.monotonic()
    recorder.run(
        program("a", STUBBORN, is_ready=lambda: "stubborn" in recorder.said), on_ready=twice
    )
    assert time.monotonic() - started < 5


def test_engines_end_last(recorder):
    says = "import signal, sys, time; signal.signal(15, lambda *a: (print('{}'), sys.exit()));"
    says += "print('up {}'); time.sleep(600)"
    recorder.run(
        program("db", says.format("db ends", "db"), kind=Kind.ENGINE,
                is_ready=lambda: "up db" in recorder.said),
        program("web", says.format("web ends", "web"), is_ready=lambda: "up web" in recorder.said),
    )  # fmt: skip
    assert recorder.said.index("web ends") < recorder.said.index("db ends")


def test_every_line_names_its_program(recorder):
    recorder.run(program("tom", "print('one\\ntwo'); print('no newline', end='')", kind=Kind.STEP))
    lines = [line for line in recorder.said.splitlines() if line.startswith("tom")]
    assert lines == ["tom | one", "tom | two", "tom | no newline"]


def test_the_merged_log_is_kept_without_colours_and_without_the_password(tmp_path):
    out = io.StringIO()
    file = log_file(str(tmp_path), file_mb=1, files=1, days=1)
    console = Console(["web"], file, out)
    console.line("web", "\x1b[32mgreen\x1b[0m")
    console.announce("password hunter2", is_secret=True)
    file.close()
    assert "hunter2" in out.getvalue()
    kept = (tmp_path / "up.log").read_text()
    assert re.fullmatch(r"\S+ \S+ web \| green\n", kept)


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStartError, match=f"port {port} is in use: choose another"):
            listen("127.0.0.1", port)


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    require_disk_space(tmp_path)
    monkeypatch.setattr("tcpdashboard.supervisor.conditions.NEEDED_BYTES", 10**18)
    with pytest.raises(CannotStartError, match=r"only \d+ MB are free on the disk of"):
        require_disk_space(tmp_path)


def test_speed_belongs_to_the_simulated_exchange():
    assert parse_options(["--exchange", "okx-sim", "--speed", "60"]).speed == 60
    with pytest.raises(CannotStartError, match="--speed is for the simulated exchange"):
        parse_options(["--exchange", "okx", "--speed", "60"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--speed", "0"], "--speed must be a number above 0"),
        (["--speed", "nan"], "--speed must be a number above 0"),
        (["--port", "99999"], "--port must be from 0 to 65535"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_sentence(options, says):
    with pytest.raises(CannotStartError, match=says):
        parse_options(options)


def test_an_exchange_that_does_not_answer_is_given_up_after_its_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not reaches_okx(url, 0.7)
        assert 0.6 < time.monotonic() - started < 3


def test_a_closed_way_to_the_exchange_is_known_sooner():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        started = time.monotonic()
        assert not reaches_okx(f"http://127.0.0.1:{nobody.getsockname()[1]}", 30)
        assert time.monotonic() - started < 10


def test_the_source_of_data_goes_into_every_environment(tmp_path):
    source = Source.of("auto", 1, tmp_path)
    assert source.env == {}
    source.file.write_text("okx")
    assert source.env == {"TCPD_EXCHANGE": "okx"}
    source.file.write_text("okx-sim")
    assert source.env["TCPD_EXCHANGE"] == "okx-sim"
    assert source.env["TCPD_OKX_REST_URL"] == f"http://127.0.0.1:{source.port}"


def test_workers_take_every_queue_that_tasks_and_schedules_name():
    from tcpdashboard.celery import app

    class NoEngines:
        engines = {}
        urls = {}

    plan = Plan(ROOT, ROOT, NoEngines(), Source("okx", ROOT, 1, 2, 1.0), ("h", 1), 3, False)
    taken = set()
    for each in plan.programs():
        command = each.command()
        if "-Q" in command:
            taken |= set(command[command.index("-Q") + 1].split(","))
    app.loader.import_default_modules()
    default = app.conf.task_default_queue
    entries = app.conf.beat_schedule.values()
    named = {entry.get("options", {}).get("queue", default) for entry in entries}
    named |= {task.queue for task in app.tasks.values() if getattr(task, "queue", None)}
    named |= {route["queue"] for route in app.conf.task_routes.values()}
    assert named <= taken
    assert {"collect", "ticks", "default"} <= taken


@pytest.fixture
def var():
    folder = Path(tempfile.mkdtemp(prefix="tcpd-up-"))
    folder.chmod(0o711)
    yield folder
    leftovers.stop_leftovers(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_leftovers_are_stopped_by_record_and_by_mark(var):
    claim(var)
    marked = {**os.environ, leftovers.MARK: str(var)}
    recorded = subprocess.Popen([sys.executable, "-c", FOREVER], start_new_session=True)
    unrecorded = subprocess.Popen(
        [sys.executable, "-c", FOREVER], env=marked, start_new_session=True
    )
    innocent = subprocess.Popen([sys.executable, "-c", FOREVER])
    try:
        leftovers.record(var, {"web": recorded.pid})
        wait_until(lambda: len(processes_with(leftovers.MARK, str(var))) == 1, 30)
        assert leftovers.stop_leftovers(var) == sorted([f"process {unrecorded.pid}", "web"])
        assert recorded.wait(30) == -15
        assert unrecorded.wait(30) == -15
        assert innocent.poll() is None
    finally:
        for process in (recorded, unrecorded, innocent):
            process.kill()
            process.wait()


def test_a_number_taken_over_by_another_process_is_left_alone():
    other = subprocess.Popen([sys.executable, "-c", FOREVER])
    try:
        stop_groups([ProcessIdentity(other.pid, "another boot:1")], grace_s=1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def _group(leader):
    """The processes of a group that still run; a dead one may wait for init to look at it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            is_member = os.getpgid(process.pid) == leader
            if is_member and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
