"""Databases for tests: one is migrated for all of a session, the others are copies of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from django.conf import settings
from django.db import connection, transaction
from psycopg2 import sql

from tcpdashboard.embedded import installed_bin

TEMPLATE = "test_tcpdashboard_template"
"""It has all tables and what migrations put into them."""

NAME_OF_TESTS = "tcpdashboard tests"
"""What this process calls its sessions, so that it can tell them from those of others."""

_TURN = 20_260_105
_LEAVE_S = 30.0

_STILL_THERE = """
select pid, concat_ws(' ', application_name, state, 'since', xact_start, left(query, 300))
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    and (application_name <> %s or state <> 'idle')
"""


def copy_template(name: str) -> None:
    """Make a migrated database, in place of one of that name."""
    with _turn() as cursor:
        _do(cursor, "drop database if exists {} with (force)", name)
        _do(cursor, "create database {} template {}", name, TEMPLATE)


def fill_from_template(url: str) -> None:
    """Put what a migrated database has into an empty one of another server."""
    programs = installed_bin()
    # Nobody copies it meanwhile: that needs a template without sessions.
    with _turn():
        source = address(os.environ["DATABASE_URL"], TEMPLATE)
        dump = subprocess.run(
            [programs / "pg_dump", "--no-owner", source], capture_output=True, check=True
        )
    subprocess.run(
        [programs / "psql", "-q", "-X", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, url],
        input=dump.stdout,
        check=True,
    )


def drop_database(name: str) -> None:
    """Drop a database of the session's server, whoever still uses it."""
    do(os.environ["DATABASE_URL"], "drop database if exists {} with (force)", name)


def empty_tables() -> None:
    """Take out what tests put into this process's database, whoever guards it against that.

    Django empties every table and makes content types and permissions anew, which costs more than
    most tests do. They stay, and only tables with rows are touched.
    """
    with connection.cursor() as cursor:
        left = _sent_away(cursor)
        leaves, referenced = _tables()
        cursor.execute(" union all ".join(map(_filled, [*leaves, *referenced])))
        filled = {name for (name,) in cursor.fetchall()}
        with transaction.atomic():
            # Whoever was just killed, the server notices when it finds the time.
            cursor.execute("set local lock_timeout = '30s'")
            # Neither in an order nor by their triggers: nothing is left that they protect.
            cursor.execute("set local session_replication_role = replica")
            if bulk := filled.intersection(leaves):
                names = map(connection.ops.quote_name, sorted(bulk))
                cursor.execute("truncate " + ", ".join(names))
            for name in sorted(filled.intersection(referenced)):
                cursor.execute(f"delete from {connection.ops.quote_name(name)}")
    assert not left, f"the test left somebody at work in its database: {left}"


def _sent_away(cursor: Any) -> list[str]:
    """Wait for whoever still uses the database; end and return who does not leave by themselves.

    Processes of the test that go on would write into the tests that come after it.
    """
    deadline = time.monotonic() + _LEAVE_S
    while True:
        cursor.execute(_STILL_THERE, [NAME_OF_TESTS])
        others = dict(cursor.fetchall())
        if not others or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for pid in others:
        cursor.execute("select pg_terminate_backend(%s)", [pid])
    return list(others.values())


@cache
def _tables() -> tuple[list[str], list[str]]:
    """Return the tables that no other one refers to, and those that some do."""
    kept = {"django_content_type", "auth_permission"}
    with connection.cursor() as cursor:
        ours = connection.introspection.django_table_names(only_existing=True, include_views=False)
        names = set(ours) - kept
        cursor.execute(
            "select distinct relname from pg_constraint join pg_class on pg_class.oid = confrelid"
            " where contype = 'f' and conrelid <> confrelid"
        )
        referred = {name for (name,) in cursor.fetchall()}
    return sorted(names - referred), sorted(names & referred)


def _filled(table: str) -> str:
    name = connection.ops.quote_name(table)
    return f"select '{table}' where exists (select from {name})"


def use_database(name: str) -> None:
    """Let the models of this process read another database of the same server."""
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


def address(url: str, name: str) -> str:
    """Return the address of a database on the server of another one."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def do(url: str, statement: str, *names: str) -> None:
    """Do something to whole databases of a server."""
    with _maintaining(url) as cursor:
        _do(cursor, statement, *names)


@contextlib.contextmanager
def _turn() -> Iterator[Any]:
    """Wait for the template, or make it: other processes of the session may want it too."""
    with _maintaining(os.environ["DATABASE_URL"]) as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [_TURN])
        cursor.execute("select 1 from pg_database where datname = %s", [TEMPLATE])
        if not cursor.fetchone():
            _migrate()
        yield cursor


def _migrate() -> None:
    outer, names = connection.settings_dict["NAME"], connection.settings_dict["TEST"]
    inner, names["NAME"] = names["NAME"], TEMPLATE
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    except BaseException:
        use_database(outer)
        drop_database(TEMPLATE)
        raise
    finally:
        names["NAME"] = inner
    use_database(outer)


@contextlib.contextmanager
def _maintaining(url: str) -> Iterator[Any]:
    with contextlib.closing(psycopg2.connect(address(url, "postgres"))) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            yield cursor


def _do(cursor: Any, statement: str, *names: str) -> None:
    cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
