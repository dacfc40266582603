"""The commands that make an installation ready and serve it."""

import http.client
import json
import os
import socket
import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

from tcpdashboard.processes import wait_until
from tcpdashboard.supervisor.conditions import web_answers

ROOT = django_settings.BASE_DIR


@pytest.fixture
def var(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("TCPD_ADMIN_PASSWORD", raising=False)
    settings.VAR_DIR = tmp_path
    return tmp_path


def run(command):
    output = StringIO()
    call_command(command, stdout=output)
    return output.getvalue()


@pytest.mark.django_db
def test_the_first_user_gets_a_random_password_that_only_the_owner_reads(var):
    said = run("first_user")

    kept = var / "admin-password"
    password = kept.read_text().strip()
    assert len(password) == 20
    assert kept.stat().st_mode & 0o777 == 0o600
    assert password not in said
    assert str(kept) in said
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser


@pytest.mark.django_db
def test_a_given_password_is_used_and_not_written_down(var, monkeypatch):
    monkeypatch.setenv("TCPD_ADMIN_PASSWORD", "a long enough one")
    said = run("first_user")
    assert authenticate(username="admin", password="a long enough one") is not None
    assert list(var.iterdir()) == []
    assert "a long enough one" not in said


@pytest.mark.django_db
def test_a_weak_password_is_refused_with_the_reason(var, monkeypatch):
    monkeypatch.setenv("TCPD_ADMIN_PASSWORD", "password")
    with pytest.raises(CommandError, match="TCPD_ADMIN_PASSWORD: This password is too common"):
        run("first_user")
    assert not get_user_model().objects.exists()


@pytest.mark.django_db
def test_nothing_is_made_when_there_is_a_user(var):
    get_user_model().objects.create_user("somebody")
    assert run("first_user") == ""
    assert get_user_model().objects.count() == 1
    assert not (var / "admin-password").exists()


@pytest.fixture
def static(settings, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "page.css").write_text("a {}")
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    from django.contrib.staticfiles import finders

    finders.get_finder.cache_clear()
    yield source
    finders.get_finder.cache_clear()


@pytest.mark.django_db
def test_static_files_are_collected_again_only_when_one_changed(var, static):
    first, second = run("prepare"), run("prepare")
    (static / "page.css").write_text("b {}")
    third = run("prepare")
    assert ["static files" in said for said in (first, second, third)] == [True, False, True]
    assert (var / "collected" / "page.css").read_text() == "b {}"


@pytest.mark.django_db
def test_preparing_twice_makes_one_user(var, static):
    run("prepare")
    run("prepare")
    assert get_user_model().objects.count() == 1


@pytest.mark.slow
def test_the_web_process_serves_on_a_socket_it_was_handed_and_ends_on_sigterm():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = listener.getsockname()
        fd = listener.fileno()
        web = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "serve", "--fd", str(fd)],
            pass_fds=[fd],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TCPD_LOG_DIR": ""},
        )
        try:
            assert wait_until(lambda: web_answers(address, "/health/live"), 20)
            connection = http.client.HTTPConnection(*address, timeout=5)
            connection.request("GET", "/markets/")
            answer = connection.getresponse()
            assert answer.status == 302
            assert answer.getheader("Location").startswith("/login/")
            assert answer.getheader("Server") is None
            connection.close()
            web.terminate()
            assert web.wait(10) in (0, -15)
        finally:
            web.kill()
            web.communicate()


@pytest.mark.slow
def test_gunicorn_serves_and_logs_as_every_process_does(tmp_path):
    (tmp_path / "static").mkdir()
    environment = {"TCPD_VAR": str(tmp_path), "TCPD_LOG_DIR": "", "TCPD_LOG_FORMAT": "json"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    web = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"),
            *("--bind", f"127.0.0.1:{address[1]}", "--workers", "1"),
            "tcpdashboard.wsgi:application",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, **environment, "TCPD_PROCESS": "web"},
    )
    try:
        assert wait_until(lambda: web_answers(address, "/health/live"), 20)
        web.terminate()
        output, _ = web.communicate(timeout=15)
    finally:
        web.kill()
        web.wait()
    lines = [json.loads(line) for line in output.decode().splitlines()]
    assert {line["process"] for line in lines} == {"web"}
    assert any(line["event"].startswith("Listening at") for line in lines)
