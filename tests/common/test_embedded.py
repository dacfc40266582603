"""PostgreSQL and Valkey start from wheels anywhere, survive crashes, and let go when told to."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg2
import pytest
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from tcpdashboard.embedded import CannotStartError, Engines
from tcpdashboard.embedded.engines import (
    LARGEST_LOG_BYTES,
    record_path,
    recorded_addresses,
    stop_recorded,
)
from tcpdashboard.embedded.folders import can_enter, kept_secret, socket_folder, unprivileged_user
from tcpdashboard.processes import ProcessIdentity, processes_in, wait_until

ROOT = settings.BASE_DIR
IS_ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not IS_ROOT, reason="needs root, to be another user")


@pytest.fixture
def var():
    """A var folder whose path is short and open to the database's user."""
    folder = Path(tempfile.mkdtemp(prefix="tcpd-var-"))
    folder.chmod(0o711)
    yield folder
    stop_recorded(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def engines(var):
    """Make engines of `var` (or another folder) that are stopped after the test."""
    made = []

    def make(folder=var, **options):
        made.append(Engines(folder, is_durable=False, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.stop()


def ask(engine, question):
    connection = psycopg2.connect(engine.database_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def valkey_of(engine):
    return redis.Redis.from_url(engine.redis_url, socket_timeout=2)


def test_both_answer_and_keep_what_was_written_over_a_restart(engines, var):
    first = engines()
    first.start()
    ask(first, "CREATE TABLE t AS SELECT 7 AS n")
    valkey_of(first).set("k", "v")
    port, password = first.engines["valkey"].port, first.engines["valkey"].password
    first.stop()

    second = engines()
    second.start()
    assert ask(second, "SELECT n FROM t") == [(7,)]
    assert valkey_of(second).get("k") == b"v"
    assert (second.engines["valkey"].port, second.engines["valkey"].password) == (port, password)


def test_a_first_start_writes_no_error_into_the_log(engines, var):
    engine = engines(only=("postgres",))
    engine.start()
    assert ask(engine, "SELECT current_database()") == [("tcpdashboard",)]
    log = (var / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "does not exist" not in log


@pytest.mark.slow
def test_nothing_runs_after_a_stop(engines, var):
    engine = engines()
    engine.start()
    identities = [ProcessIdentity.of(p.pid) for p in engine.processes.values()]
    engine.stop()
    assert not any(identity.is_running() for identity in identities)
    assert not record_path(var).exists()


@pytest.mark.slow
def test_secrets_are_for_their_owner_alone(engines, var):
    engine = engines()
    engine.start()
    files = [record_path(var), var / "valkey" / "password", var / "valkey" / "valkey.conf"]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3
    assert (var / "postgres").stat().st_mode & 0o777 == 0o700


@root_only
def test_only_the_user_who_started_the_database_can_connect(engines):
    engine = engines(only=("postgres",))
    engine.start()
    sockets = engine.engines["postgres"].sockets
    psql = [str(engine.engines["postgres"].bin / "psql"), "-h", str(sockets), "-U", "postgres"]
    psql += ["-Atc", "SELECT 7", "postgres"]

    def ask_as(user):
        return subprocess.run(
            psql, **({"user": user[0], "group": user[1], "extra_groups": []} if user else {}),
            env={"PATH": "/usr/bin"}, cwd="/", capture_output=True, text=True,
        )  # fmt: skip

    assert ask_as(None).stdout == "7\n"
    # The one other user who can reach the socket at all.
    refused = ask_as(unprivileged_user())
    assert refused.returncode == 2
    assert "Peer authentication failed" in refused.stderr


def test_a_data_folder_that_trusted_everybody_does_so_no_more(engines):
    first = engines(only=("postgres",))
    first.start()
    first.stop()
    hba = first.engines["postgres"].data / "pg_hba.conf"
    hba.write_text("local all all trust\n")

    second = engines(only=("postgres",))
    second.start()
    assert ask(second, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == [("peer",)]


def test_the_logs_of_engines_are_for_their_owner_and_do_not_grow_for_ever(engines, var):
    (var / "valkey.log").write_bytes(b"x" * (LARGEST_LOG_BYTES + 1))
    (var / "postgres.log").touch(mode=0o644)
    engine = engines()
    engine.start()
    for name in ("valkey.log", "postgres.log"):
        assert (var / name).stat().st_mode & 0o777 == 0o600
        assert (var / name).stat().st_size < 100_000
    assert (var / "valkey.log.1").stat().st_size == LARGEST_LOG_BYTES + 1


def test_valkey_refuses_a_client_without_the_password(engines):
    engine = engines(only=("valkey",))
    engine.start()
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(port=engine.engines["valkey"].port, retry=Retry(NoBackoff(), 0)).ping()


def test_a_killed_engine_comes_back_on_the_same_address(engines):
    engine = engines()
    engine.start()
    ask(engine, "CREATE TABLE t AS SELECT 1 AS n")
    before = engine.urls

    engine.restart("postgres", how=signal.SIGKILL)
    engine.restart("valkey", how=signal.SIGKILL)
    assert engine.urls == before
    assert ask(engine, "SELECT n FROM t") == [(1,)]
    assert valkey_of(engine).ping()


def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(engines, var):
    engine = engines(only=("postgres",))
    engine.start()
    engine.stop()
    lines = [str(os.getpid()), str(var / "postgres"), "0", "5432", str(var / "postgres"), "", ""]
    (var / "postgres" / "postmaster.pid").write_text("\n".join(lines))

    engine.start()
    assert ask(engine, "SELECT 1") == [(1,)]


@pytest.mark.slow
def test_servers_left_by_a_killed_starter_are_replaced(engines, var):
    code = (
        "import sys, os, signal; from pathlib import Path;"
        "from tcpdashboard.embedded import Engines;"
        "Engines(Path(sys.argv[1]), dies_with_parent=False).start();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(var)], cwd=ROOT, check=False, timeout=25)
    left = processes_in(var / "postgres", "postgres") + processes_in(
        var / "valkey", "valkey-server"
    )
    assert len(left) > 2
    # Even without its record, which a crash may have lost.
    record_path(var).unlink()

    engine = engines()
    engine.start()
    assert not any(process.is_running() for process in left)
    assert ask(engine, "SELECT 1") == [(1,)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_engines_end_with_a_killed_parent_that_asked_for_it(var):
    code = (
        "import sys, os, signal; from pathlib import Path;"
        "from tcpdashboard.embedded import Engines;"
        "Engines(Path(sys.argv[1])).start();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(var)], cwd=ROOT, check=False, timeout=25)
    assert wait_until(
        lambda: (
            not processes_in(var / "postgres", "postgres")
            and not processes_in(var / "valkey", "valkey-server")
        ),
        10,
    )


@pytest.mark.slow
def test_an_interrupted_first_start_is_begun_again(engines, var):
    half = var / ".postgres.unfinished"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    engine = engines(only=("postgres",))
    engine.start()
    assert ask(engine, "SELECT 1") == [(1,)]
    assert not half.exists()


@pytest.mark.slow
def test_data_of_another_major_version_are_refused(engines, var):
    engine = engines(only=("postgres",))
    engine.start()
    engine.stop()
    (var / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(CannotStartError, match="made by PostgreSQL 9, this is 18"):
        engine.start()


@pytest.mark.slow
def test_two_folders_run_side_by_side(engines, var):
    one, two = engines(var / "one"), engines(var / "two")
    one.start()
    two.start()
    ask(one, "CREATE TABLE t AS SELECT 1 AS n")
    assert ask(two, "SELECT to_regclass('t')") == [(None,)]
    assert one.redis_url != two.redis_url


def test_a_path_with_spaces_commas_and_quotes_works(engines, var):
    engine = engines(var / 'my "own" data, here\'s')
    engine.start()
    assert ask(engine, "SELECT 1") == [(1,)]
    assert valkey_of(engine).ping()


@pytest.mark.slow
def test_a_path_too_long_for_a_socket_gets_a_private_short_one(engines, var):
    deep = var / ("d" * 60) / ("e" * 60)
    engine = engines(deep, only=("postgres",))
    engine.start()
    sockets = engine.engines["postgres"].sockets
    assert ask(engine, "SELECT 1") == [(1,)]
    assert sockets != deep / "postgres"
    assert sockets.stat().st_mode & 0o777 == 0o700
    engine.stop()
    shutil.rmtree(sockets)


def test_a_socket_folder_that_somebody_else_opened_is_refused(var):
    deep = var / ("f" * 120)
    folder = socket_folder(deep, None)
    try:
        folder.chmod(0o777)
        with pytest.raises(CannotStartError, match="is not a private folder"):
            socket_folder(deep, None)
    finally:
        folder.rmdir()


@root_only
def test_a_folder_of_another_user_is_refused_in_one_sentence(engines, var):
    os.chown(var, 65534, 65534)
    with pytest.raises(CannotStartError, match=r"belongs to nobody, you are root"):
        engines().start()
    assert list(var.iterdir()) == []


@pytest.mark.slow
@root_only
def test_as_root_a_closed_checkout_stays_closed_and_data_go_where_the_database_may_go(engines, var):
    closed = var / "home"
    closed.mkdir(mode=0o700)
    engine = engines(closed / "var")
    engine.start()
    data = (closed / "var" / "postgres").resolve()
    try:
        assert ask(engine, "SELECT 1") == [(1,)]
        assert closed.stat().st_mode & 0o777 == 0o700
        assert not data.is_relative_to(closed)
        engine.stop()
        engine.start()
        assert (closed / "var" / "postgres").resolve() == data
    finally:
        engine.stop()
        shutil.rmtree(data)


@pytest.mark.slow
@root_only
def test_as_root_postgres_runs_as_somebody_else(engines):
    engine = engines(only=("postgres",))
    engine.start()
    status = Path(f"/proc/{engine.processes['postgres'].pid}/status").read_text()
    ids = {line.split()[0]: line.split()[1:] for line in status.splitlines() if line}
    assert "0" not in ids["Uid:"] + ids["Gid:"] + ids["Groups:"]


@root_only
def test_entering_a_folder_is_tried_as_the_user_who_must(var):
    user = unprivileged_user()
    (var / "closed").mkdir(mode=0o700)
    assert can_enter(var, user)
    assert not can_enter(var / "closed", user)


@pytest.mark.slow
def test_an_engine_that_cannot_start_says_why(engines, var):
    engine = engines(only=("postgres",))
    engine.start()
    engine.stop()
    (var / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(CannotStartError, match="postgres did not start"):
        engine.start()


def manage(var, *command, **environment):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *command],
        env=without_addresses(TCPD_VAR=str(var), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd="/",
    )


def without_addresses(**environment):
    left_out = {"DATABASE_URL", "REDIS_URL", "TCPD_SECRET_KEY", "TCPD_VAR"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, **environment}


QUERY = "from django.db import connection as c; k = c.cursor(); k.execute('select 40 + 2');"


def test_a_command_starts_engines_and_leaves_none_behind(var):
    command = manage(var, "shell", "--no-imports", "-c", f"{QUERY} print(k.fetchone()[0])")
    output, errors = command.communicate(timeout=25)
    assert (output.strip(), command.returncode) == ("42", 0), errors
    assert recorded_addresses(var) is None
    assert processes_in(var / "postgres", "postgres") == []


@pytest.mark.slow
def test_a_command_uses_engines_that_run_and_leaves_them_running(engines, var):
    engine = engines()
    engine.start()
    with (var / "run" / "in-use").open("a") as use:
        import fcntl

        # What the supervisor holds while it lives.
        fcntl.flock(use, fcntl.LOCK_SH)
        ask(engine, "CREATE TABLE seen AS SELECT 5 AS n")
        code = QUERY.replace("40 + 2", "n from seen") + "print(k.fetchone()[0])"
        command = manage(var, "shell", "--no-imports", "-c", code)
        output, errors = command.communicate(timeout=25)
    assert output.strip() == "5", errors
    assert engine.processes["postgres"].poll() is None


@pytest.mark.slow
def test_the_last_command_out_stops_the_engines(var):
    wait = "import sys; print('ready', flush=True); sys.stdin.readline();"
    first = manage(var, "shell", "--no-imports", "-c", f"{QUERY} {wait}")
    assert first.stdout.readline() == "ready\n"
    second = manage(var, "shell", "--no-imports", "-c", f"{QUERY} {wait} {QUERY} print('still')")
    assert second.stdout.readline() == "ready\n"

    first.communicate("\n", timeout=10)
    assert recorded_addresses(var) is not None
    output, errors = second.communicate("\n", timeout=10)
    assert output == "still\n", errors
    assert recorded_addresses(var) is None


def test_a_command_that_gets_no_folder_says_so_and_exits_with_2(var):
    (var / "file").write_text("in the way")
    command = manage(var / "file", "check")
    _, errors = command.communicate(timeout=25)
    assert command.returncode == 2
    assert errors.startswith("manage.py: ")
    assert len(errors.strip().splitlines()) == 1


def test_the_secret_key_is_made_once_and_kept(var):
    made = kept_secret(var / "secret-key")
    assert kept_secret(var / "secret-key") == made
    assert len(made) >= 50
    assert (var / "secret-key").stat().st_mode & 0o777 == 0o600


def test_production_must_give_its_own_secret_key(var):
    command = manage(
        var, "check", DATABASE_URL="postgres://u@127.0.0.1/x", REDIS_URL="redis://127.0.0.1:1/0"
    )
    _, errors = command.communicate(timeout=25)
    assert command.returncode != 0
    assert "TCPD_SECRET_KEY" in errors


def test_a_record_of_engines_that_are_gone_is_not_believed(var):
    (var / "run").mkdir()
    urls = {"DATABASE_URL": f"postgres://postgres@/x?host={var}", "REDIS_URL": "redis://:x@h:1/0"}
    identity = {"pid": os.getpid(), "started": "another boot:1"}
    record_path(var).write_text(
        json.dumps({"addresses": urls, "processes": {"postgres": identity}})
    )
    assert recorded_addresses(var) is None
    # This very process has that number: it must survive.
    stop_recorded(var)
    assert not record_path(var).exists()
