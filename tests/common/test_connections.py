"""No process holds more database connections than it may, and all together fit the server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg2
import pytest
import yaml
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.test import Client

from tcpdashboard.common.postgres.slots import LIMIT_OF_A_COMMAND, Slots, limit_of
from tcpdashboard.embedded.postgres import SETTINGS
from tests.patience import until

ROOT = settings.BASE_DIR
RESERVED = 3
"""Connections that the server keeps for its superusers."""


# ------------------------------------------------------------------------------ the bound
class Opened:
    """A connection as psycopg2 shows it: open until it is closed."""

    closed = 0


def test_a_slot_is_free_again_once_its_connection_is_closed():
    slots = Slots(2, patience_s=0.0)
    first, second = Opened(), Opened()
    for one in (first, second):
        with slots.one():
            slots.fill(one)
    assert slots.used == 2
    with pytest.raises(OperationalError, match="all 2 database connections"), slots.one():
        pass
    first.closed = 1
    with slots.one():
        assert slots.used == 2


def test_a_connection_that_nobody_has_any_more_takes_no_slot():
    slots = Slots(1, patience_s=0.0)
    with slots.one():
        slots.fill(Opened())
    with slots.one():
        assert slots.used == 1


def test_who_waits_gets_the_slot_that_becomes_free():
    slots, held = Slots(1, patience_s=5.0), Opened()
    with slots.one():
        slots.fill(held)
    threading.Timer(0.05, setattr, (held, "closed", 1)).start()
    with slots.one():
        assert slots.used == 1


def test_a_failed_attempt_to_connect_takes_no_slot():
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots.one():
        raise ZeroDivisionError
    assert slots.used == 0


# ------------------------------------------------------------------------------ the sum
def test_all_processes_of_one_machine_fit_the_embedded_server():
    source = (ROOT / "tcpdashboard" / "supervisor" / "plan.py").read_text()
    names = set(re.findall(r'"(worker-[a-z]+|beat|web)"', source))
    assert names == {
        *("web", "worker-collect", "worker-light", "worker-repair", "worker-backtests", "beat")
    }
    once = sum(limit_of(name) for name in names - {"worker-backtests"})
    # One command of the start and one that a person runs; a backtest on each of 16 cores.
    total = once + 2 * LIMIT_OF_A_COMMAND + 16 * limit_of("worker-backtests")
    assert total <= int(SETTINGS["max_connections"]) - RESERVED


def test_all_containers_fit_the_server_of_compose():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (most,) = (o for o in services["postgres"]["command"] if o.startswith("max_connections="))
    total = LIMIT_OF_A_COMMAND
    for service in services.values():
        environment = service.get("environment", {})
        if "TCPD_PROCESS" in environment and not service.get("profiles"):
            limit = int(environment.get("TCPD_DB_CONNECTIONS", 0))
            total += processes_of(service) * (limit or limit_of(environment["TCPD_PROCESS"]))
    assert total <= int(most.partition("=")[2]) - RESERVED


def processes_of(service):
    """How many processes with connections a container has."""
    if "gunicorn" in service["command"]:
        workers = (ROOT / "deploy" / "gunicorn.conf.py").read_text()
        return int(re.search(r"^workers = (\d+)", workers, re.MULTILINE)[1])
    return 8 if "prefork" in service["command"] else 1


# ------------------------------------------------------------------------------ measured
@pytest.fixture
def server(transactional_db, tmp_path):
    """The web process on this test's database, with room for four connections: its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = urlsplit(os.environ["DATABASE_URL"])
    database = database._replace(path=f"/{connection.settings_dict['NAME']}")
    more = {"TCPD_VAR": str(tmp_path), "TCPD_PROCESS": "web", "TCPD_DB_CONNECTIONS": "4"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.geturl(), **more},
    )
    until(lambda: is_open(port) or process.poll() is not None, "the server did not start")
    assert process.poll() is None, "the server ended"
    yield port
    process.kill()
    process.wait(10)


def is_open(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_web_process_under_a_hundred_requests_at_once_keeps_its_bound(server):
    client = Client()
    client.force_login(get_user_model().objects.create_user("reader"))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    seen, is_over = [], threading.Event()

    def watch():
        parameters = connection.get_connection_params()
        watcher = psycopg2.connect(
            **{k: parameters[k] for k in ("dbname", "user", "host") if k in parameters}
        )
        watcher.autocommit = True
        with watcher.cursor() as cursor:
            while not is_over.is_set():
                cursor.execute(
                    "select count(*) from pg_stat_activity where application_name = %s",
                    ["tcpdashboard web"],
                )
                seen.append(cursor.fetchone()[0])
        watcher.close()

    def ask(_):
        request = urllib.request.Request(
            f"http://127.0.0.1:{server}/api/v1/instruments/",
            headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(ask, range(200)))
    finally:
        is_over.set()
        watcher.join()
    assert set(answers) == {200}
    # A closed connection's backend takes a moment to go; without the bound it would be a hundred.
    assert 1 <= max(seen) <= 8
    assert sum(number > 4 for number in seen) < 0.2 * len(seen)
