"""The test session's own engines, started before Django reads its settings.

With pytest-xdist the controller starts PostgreSQL once (each worker has a database of its own), and
each worker starts its own Valkey, because publish and subscribe know no database numbers.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tcpdashboard.compiled import keep_compiled_code

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tcpdashboard.settings")
os.environ.setdefault("TCPD_SECRET_KEY", secrets.token_urlsafe(48))

# Compiled once for all sessions, not anew in each one's folder.
_base = Path(__file__).resolve().parents[1]
keep_compiled_code(_base, _base / "var")

# What PostgreSQL writes when it, or one of its sessions, ends against its will.
WHY_DOWN = re.compile(
    "PANIC|FATAL|terminated by signal|No space left|out of memory|recovery mode"
    "|unexpected EOF|invalid frontend"
)
GIVEN_BY_CONTROLLER = "TCPD_TEST_DATABASE_URL"

# How long an example takes says nothing on a machine that stands still for some seconds. A test
# that suppresses health checks of its own replaces these, and names `too_slow` again.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")

_started = None
_is_worker = "PYTEST_XDIST_WORKER" in os.environ
_wanted = [
    name
    for name, variable in (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL"))
    if not os.environ.get(variable)
]
if _is_worker and os.environ.get(GIVEN_BY_CONTROLLER):
    _wanted = ["valkey"]

if _wanted:
    _folder = Path(tempfile.mkdtemp(prefix="tcpd-"))
    # As root the database runs as another user, who must get in.
    _folder.chmod(0o711)
    os.environ["TCPD_VAR"] = str(_folder)

    # Imported once the folder is known: it is read with the other settings.
    from tcpdashboard.embedded import Engines

    _started = Engines(_folder, only=tuple(_wanted), is_durable=False)
    _started.start()
    os.environ.update(_started.urls)
    if "postgres" in _wanted:
        os.environ[GIVEN_BY_CONTROLLER] = _started.database_url

django.setup()

# Whatever a test does between two statements it does inside of a transaction. On a busy machine
# that takes longer than a process of ours may rest in one, which PostgreSQL ends without a word.
connection.settings_dict["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=0"

# It looks at the settings, which are there only now.
from tests.databases import (  # noqa: E402
    NAME_OF_TESTS,
    TEMPLATE,
    copy_template,
    drop_database,
    empty_tables,
    use_database,
)

connection.settings_dict["OPTIONS"]["application_name"] = NAME_OF_TESTS

if GIVEN_BY_CONTROLLER in os.environ:
    # On a server of our own we may do what it takes.
    TransactionTestCase._fixture_teardown = lambda _self: empty_tables()

# Templates name files as they are in the tree: no collectstatic before tests.
settings.WHITENOISE_USE_FINDERS = True
settings.STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    chaos = parser.getgroup("chaos")
    chaos.addoption("--runs", type=int, help="runs of the chaos suite")
    chaos.addoption("--seed", type=int, help="seed of the first of them")
    chaos.addoption("--hours", type=float, help="hours of exchange time that the bots soak")
    chaos.addoption("--bots", default="5,200", help="how many of them, one soak after the other")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    # A worker that found it would read the settings before it has started its own Valkey.
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_sessionstart(session: pytest.Session) -> None:
    # On a server that others gave it may be of an earlier session, and of an earlier schema.
    if not _is_worker:
        drop_database(TEMPLATE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """After a failure, say what the database complained of: its log goes with it."""
    if not exitstatus or _started is None:
        return
    log = _started.var_dir / "postgres.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    if told := [line for line in lines if WHY_DOWN.search(line)]:
        terminalreporter.section("what PostgreSQL complained of")
        terminalreporter.write_line("\n".join(told[-200:]))


def pytest_unconfigure() -> None:
    if not _is_worker and "postgres" not in _wanted:
        drop_database(TEMPLATE)
    if _started is not None:
        _started.stop()
        shutil.rmtree(_started.var_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: Any
) -> Iterator[None]:
    """A database of this process's own, as pytest-django would make it by migrations."""
    outer, own = connection.settings_dict["NAME"], connection.creation._get_test_db_name()
    with django_db_blocker.unblock():
        copy_template(own)
        use_database(own)
    yield
    with django_db_blocker.unblock():
        use_database(outer)
        drop_database(own)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data; tests that need it skip with the reason when absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TCPD_SHARED_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"recorded market data is not at {folder}; set TCPD_SHARED_DATA")
    return folder
