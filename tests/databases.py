"""Databases for tests: one is migrated for all of a session, the others are copies of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from django.conf import settings
from django.db import connection
from psycopg2 import sql

from tcpdashboard.embedded import installed_bin

TEMPLATE = "test_tcpdashboard_template"
"""It has all tables and what migrations put into them."""

_TURN = 20_260_105


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
