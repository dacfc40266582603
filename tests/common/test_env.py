"""Settings come from the environment or from the files it names, as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys

import environ
import pytest
from django.conf import settings

from tcpdashboard.embedded.attaching import keep_secret_key, missing_engines
from tcpdashboard.env import env, given

ROOT = settings.BASE_DIR
NAME = "TCPD_TEST_VALUE"


@pytest.fixture
def secret_file(tmp_path, monkeypatch):
    """A function that puts a variable into a file, as Docker's secrets do."""

    def put(name, text):
        file = tmp_path / name
        file.write_text(text)
        monkeypatch.setenv(f"{name}_FILE", str(file))
        monkeypatch.delenv(name, raising=False)

    return put


def test_a_value_may_come_from_a_file_without_the_end_of_its_line(secret_file):
    secret_file(NAME, "s3cret and more \n")
    assert given(NAME) == "s3cret and more "


def test_the_file_wins_and_without_either_there_is_nothing(secret_file, monkeypatch):
    assert given(NAME) == ""
    monkeypatch.setenv(NAME, "plain")
    assert given(NAME) == "plain"
    secret_file(NAME, "from the file")
    monkeypatch.setenv(NAME, "plain")
    assert given(NAME) == "from the file"


@pytest.mark.parametrize("value", ["$ecret", r"\$ecret", "a$b", "$$", "ab\\", "#x;y"])
def test_a_value_is_taken_as_it_stands(value, monkeypatch, secret_file):
    monkeypatch.setenv(NAME, value)
    assert given(NAME) == value
    secret_file(NAME, value)
    assert given(NAME) == value


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv(f"{NAME}_FILE", "/nowhere/at-all")
    with pytest.raises(environ.ImproperlyConfigured, match=f"{NAME}_FILE names /nowhere/at-all"):
        given(NAME)


def test_addresses_in_files_are_databases_that_need_not_be_started(secret_file):
    secret_file("DATABASE_URL", "postgres://someone:p%24ss@db.example:5432/x\n")
    secret_file("REDIS_URL", "redis://broker.example:6379/0\n")
    assert missing_engines() == set()
    assert env.db_url("DATABASE_URL")["PASSWORD"] == "p$ss"


def test_a_secret_key_in_a_file_is_not_replaced(secret_file, tmp_path, monkeypatch):
    secret_file("TCPD_SECRET_KEY", "k" * 60)
    keep_secret_key(tmp_path, make=True)
    assert "TCPD_SECRET_KEY" not in os.environ
    assert not (tmp_path / "secret-key").exists()


def test_a_process_starts_with_its_secrets_in_files(tmp_path):
    names = {
        "TCPD_SECRET_KEY": "k" * 60,
        "DATABASE_URL": "postgres://someone:hidden-horse@db.example:5432/x",
        "REDIS_URL": "redis://:hidden-cow@broker.example:6379/0",
        "TCPD_ADMIN_PASSWORD": "hidden-$heep-9",
    }
    files = {}
    for name, text in names.items():
        (tmp_path / name).write_text(text + "\n")
        files[f"{name}_FILE"] = str(tmp_path / name)
    code = (
        "import django; django.setup(); from django.conf import settings as s;"
        "import structlog; log = structlog.get_logger();"
        "print(s.SECRET_KEY == 'k' * 60, s.DATABASES['default']['HOST'], s.REDIS_URL[-7:]);"
        "log.warning('x hidden-horse hidden-cow hidden-$heep-9')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **{k: v for k, v in os.environ.items() if k not in names},
            **files,
            "TCPD_VAR": str(tmp_path / "var"),
            "TCPD_LOG_DIR": "",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=25,
    )
    assert done.stdout == "True db.example :6379/0\n"
    assert "x *** *** ***" in done.stderr
