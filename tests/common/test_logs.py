"""Every process logs the same way: readable, complete, rotated, without secrets."""

import asyncio
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time

import pytest
import structlog
from django.conf import settings
from django_structlog.middlewares import RequestMiddleware

from tcpdashboard.common import logfiles
from tcpdashboard.common.logfiles import SharedLogFile
from tcpdashboard.common.logs import configure, configure_logs
from tcpdashboard.common.redaction import MASK, Redactor

ROOT = settings.BASE_DIR


@pytest.fixture
def logs(tmp_path):
    """Set logging up with files in `tmp_path`; return a function that reads a process's lines."""

    def lines(process):
        text = (tmp_path / f"{process}.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def start(process="web", **options):
        configure({**settings.LOGGING, "folder": str(tmp_path), "process": process, **options})
        return lambda: lines(process)

    yield start
    for handler in logging.getLogger().handlers:
        if isinstance(handler, SharedLogFile):
            handler.close()
    configure_logs(settings.LOGGING["process"])


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=25,
    )


def test_our_lines_and_those_of_libraries_have_the_same_fields(logs):
    lines = logs("worker-collect")
    structlog.get_logger("marketdata.x").info("trade_stored", symbol="BTC-USDT", count=3)
    logging.getLogger("celery.worker").warning("lost %s", "broker")

    ours, theirs = lines()
    assert (ours["event"], ours["symbol"], ours["count"]) == ("trade_stored", "BTC-USDT", 3)
    assert theirs["event"] == "lost broker"
    for line in (ours, theirs):
        assert line["process"] == "worker-collect"
        assert line["timestamp"].endswith("Z")
        assert {"level", "logger"} <= line.keys()


def test_lines_carry_the_request_they_belong_to(logs, client):
    lines = logs()
    client.get("/nowhere-at-all/")

    finished = next(line for line in lines() if line["event"] == "request_finished")
    assert finished["request"] == "GET /nowhere-at-all/"
    assert len(finished["request_id"]) == 36


def test_a_browser_that_leaves_before_its_answer_is_no_warning(logs, rf):
    lines = logs()

    async def left(request):
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(RequestMiddleware(left)(rf.get("/backtests/1/")))
    (told,) = (line for line in lines() if line["event"] == "request_cancelled")
    assert told["level"] == "info"


@pytest.mark.parametrize("name", ["httpx", "websockets", "celery.app.trace", "celery.beat"])
def test_chatty_libraries_are_heard_from_warnings_on(logs, name):
    lines = logs()
    logging.getLogger(name).info("busy")
    logging.getLogger(name).warning("trouble")
    assert [line["event"] for line in lines()] == ["trouble"]


def test_an_exception_is_one_json_line_without_the_secret_in_its_text(logs):
    lines = logs(secrets=["hunter2-the-password"])
    try:
        raise ConnectionError("refused for hunter2-the-password")
    except ConnectionError:
        structlog.get_logger().exception("database_failed")

    (line,) = lines()
    assert f"ConnectionError: refused for {MASK}" in line["exception"]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("password", "abc", MASK),
        ("OK-ACCESS-SIGN", "abc", MASK),
        ("api_key", "abc", MASK),
        ("sessionid_cookie", "abc", MASK),
        ("headers", {"Authorization": "Bearer abcdefghijk"}, {"Authorization": MASK}),
        ("url", "redis://:s3cret@127.0.0.1:6379/0", f"redis://:{MASK}@127.0.0.1:6379/0"),
        ("text", "token=abc&symbol=BTC", f"token={MASK}&symbol=BTC"),
        ("items", [{"passphrase": "x"}, "ok"], [{"passphrase": MASK}, "ok"]),
        ("fencing_token", 7, 7),
        ("symbol", "BTC-USDT", "BTC-USDT"),
        ("password", None, None),
    ],
)
def test_secrets_are_masked_by_name_and_by_shape(name, value, shown):
    assert Redactor()(None, "info", {name: value}) == {name: shown}


def test_a_known_secret_is_masked_wherever_it_occurs():
    redact = Redactor(known=["correct-horse", "short"])
    event = redact(None, "info", {"event": "x correct-horse y", "deep": [{"a": "correct-horse"}]})
    assert event == {"event": f"x {MASK} y", "deep": [{"a": MASK}]}
    assert redact.text("short words stay") == "short words stay"


def test_the_terminal_line_is_readable_and_colourless_when_piped():
    result = run_python(
        "import django, structlog; django.setup();"
        "structlog.get_logger('a.b').warning('lease_lost', collector=1)"
    )
    assert "[warning  ] lease_lost [a.b] collector=1" in result.stderr
    assert "\x1b[" not in result.stderr


def test_the_terminal_gets_json_when_asked():
    result = run_python(
        "import django, structlog; django.setup(); structlog.get_logger().info('up')",
        TCPD_LOG_FORMAT="json",
        TCPD_PROCESS="web",
    )
    line = json.loads(result.stderr)
    assert (line["event"], line["process"]) == ("up", "web")


def write(handler, text):
    handler.handle(logging.makeLogRecord({"msg": text}))


def test_a_full_file_is_moved_aside_and_only_so_many_are_kept(tmp_path):
    handler = SharedLogFile(tmp_path / "web.log", max_bytes=10, keep_files=2, keep_days=1)
    for text in ("first line", "second line", "third line", "fourth line"):
        write(handler, text)
    handler.close()

    kept = {f.name: f.read_text().strip() for f in tmp_path.iterdir() if f.name[0] != "."}
    assert kept == {
        "web.log": "fourth line",
        "web.log.1": "third line",
        "web.log.2": "second line",
    }


def test_old_files_go_after_their_days(tmp_path):
    old, young = tmp_path / "web.log.1", tmp_path / "web.log.2"
    for file in (old, young):
        file.write_text("x")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))

    SharedLogFile(tmp_path / "web.log", max_bytes=10, keep_files=2, keep_days=1).close()
    assert not old.exists()
    assert young.exists()


def test_old_files_go_while_a_process_goes_on_for_months(tmp_path, monkeypatch):
    handler = SharedLogFile(tmp_path / "web.log", max_bytes=10_000, keep_files=2, keep_days=1)
    old = tmp_path / "web.log.1"
    old.write_text("x")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    write(handler, "a line")
    assert old.exists(), "it is looked for now and then, not with every line"

    later = time.monotonic() + logfiles.LOOKS_AGAIN_AFTER_S + 1
    monkeypatch.setattr(logfiles.time, "monotonic", lambda: later)
    write(handler, "a line")
    handler.close()
    assert not old.exists()


def test_log_files_are_not_readable_by_others(tmp_path):
    handler = SharedLogFile(tmp_path / "logs" / "web.log", max_bytes=10, keep_files=2, keep_days=1)
    write(handler, "x")
    handler.close()
    assert handler.path.stat().st_mode & 0o007 == 0


def test_a_file_rotated_by_another_process_is_followed(tmp_path):
    options = {"max_bytes": 1000, "keep_files": 3, "keep_days": 1}
    ours = SharedLogFile(tmp_path / "web.log", **options)
    theirs = SharedLogFile(tmp_path / "web.log", **{**options, "max_bytes": 5})
    write(ours, "before rotation")
    write(theirs, "rotates first")
    write(ours, "after rotation")
    ours.close()
    theirs.close()

    assert (tmp_path / "web.log.1").read_text() == "before rotation\n"
    assert (tmp_path / "web.log").read_text() == "rotates first\nafter rotation\n"


@pytest.fixture
def full_disk(tmp_path):
    """A log file on a disk that has no room."""
    (tmp_path / "web.log").symlink_to("/dev/full")
    return SharedLogFile(tmp_path / "web.log", max_bytes=1000, keep_files=2, keep_days=1)


def test_a_full_disk_is_said_once_and_stops_nobody(full_disk, capsys):
    for _ in range(300):
        write(full_disk, "x" * 100)
    full_disk.close()
    said = capsys.readouterr().err
    assert said == f"log lines are lost: {full_disk.path}: No space left on device\n"


def test_after_room_was_made_lines_are_written_and_the_next_loss_is_said_again(full_disk, capsys):
    write(full_disk, "lost")
    full_disk.path.unlink()
    write(full_disk, "kept")
    write(full_disk, "kept too")
    full_disk.path.unlink()
    full_disk.path.symlink_to("/dev/full")
    write(full_disk, "lost again")
    full_disk.close()
    assert capsys.readouterr().err.count("No space left on device") == 2


def test_a_folder_that_is_gone_is_said_once(tmp_path, capsys):
    handler = SharedLogFile(tmp_path / "logs" / "web.log", max_bytes=9, keep_files=1, keep_days=1)
    write(handler, "first line")
    (tmp_path / "logs" / "web.log").unlink()
    shutil.rmtree(tmp_path / "logs")
    for _ in range(3):
        write(handler, "lost")
    handler.close()
    assert capsys.readouterr().err.count("log lines are lost") == 1


def test_a_mistake_in_a_logging_call_is_still_shown(tmp_path, capsys):
    handler = SharedLogFile(tmp_path / "web.log", max_bytes=9, keep_files=1, keep_days=1)
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
    handler.close()
    assert "Logging error" in capsys.readouterr().err


@pytest.mark.slow
def test_no_line_is_lost_when_several_processes_rotate_one_file(tmp_path):
    code = (
        "import logging, sys; from pathlib import Path;"
        "from tcpdashboard.common.logfiles import SharedLogFile;"
        f"h = SharedLogFile(Path({str(tmp_path / 'x.log')!r}),"
        " max_bytes=2000, keep_files=500, keep_days=1);"
        "[h.handle(logging.makeLogRecord({'msg': f'{sys.argv[1]}-{n:04}'})) for n in range(2000)]"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(n)], cwd=ROOT) for n in range(3)]
    assert [writer.wait(25) for writer in writers] == [0, 0, 0]

    lines = [line for file in tmp_path.glob("x.log*") for line in io.StringIO(file.read_text())]
    assert len(lines) == 6000
    assert len(set(lines)) == 6000
