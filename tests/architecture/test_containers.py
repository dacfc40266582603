"""The containers run the same processes as ./dev up, with the same settings."""

import os
import re
import subprocess
import sys
import time

import pytest
import redis
import yaml
from django.conf import settings
from django.core.management import get_commands

from tcpdashboard.supervisor.plan import COMPUTER, WORKER

ROOT = settings.BASE_DIR
DEFAULT = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def workers(compose):
    commands = {name: service.get("command") or [] for name, service in compose["services"].items()}
    return {name: command for name, command in commands.items() if "worker" in command}


def test_every_queue_has_exactly_one_kind_of_worker(compose):
    queues = [command[command.index("-Q") + 1] for command in workers(compose).values()]
    assert sorted(queues) == ["backtests", "collect", "default", "repair", "ticks"]


def test_workers_have_the_options_that_the_supervisor_gives_them(compose):
    for name, command in workers(compose).items():
        assert set(COMPUTER if name == "worker-backtests" else WORKER) <= set(command)


def test_every_command_exists(compose):
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()
    used = set(re.findall(r'manage\.py"?,? "?([a-z_]+)', text))
    assert {"migrate", "first_user", "seed_demo", "serve", "simulate_exchange"} <= used
    assert used <= set(get_commands())


def test_every_long_running_container_restarts_and_is_watched(compose):
    once = {"migrate", "seed"}
    unwatched = {"proxy", "exchange"}
    for name, service in compose["services"].items():
        expected = "on-failure" if name in once else "unless-stopped"
        assert service["restart"] == expected, name
        assert ("healthcheck" in service) == (name not in once | unwatched), name


def test_there_is_one_beat(compose):
    assert [
        name for name, s in compose["services"].items() if "beat" in (s.get("command") or [])
    ] == ["beat"]


def test_secrets_have_no_default(compose):
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("TCPD_SECRET_KEY", "TCPD_ADMIN_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text


def ours(compose):
    return {n: s for n, s in compose["services"].items() if s.get("image") == "tcpdashboard"}


def test_every_setting_of_the_file_reaches_every_process_of_ours(compose):
    assert {"web", "sockets", "beat", "migrate", "seed", "worker-collect"} <= set(ours(compose))
    for service in ours(compose).values():
        assert service["env_file"] == ".env"
        assert service["environment"]["TCPD_VAR"] == "/app/var"


def test_a_password_reaches_only_who_needs_it(compose):
    for name, service in ours(compose).items():
        given = service["environment"]
        assert bool(given["TCPD_ADMIN_PASSWORD"]) == (name == "migrate"), name
        assert given["POSTGRES_PASSWORD"] == given["REDIS_PASSWORD"] == "", name


def test_no_password_is_part_of_a_command_line(compose):
    for name, service in compose["services"].items():
        commands = [service.get("command"), service.get("healthcheck", {}).get("test")]
        assert "PASSWORD" not in str(commands), name
    assert "requirepass ${REDIS_PASSWORD}" in compose["configs"]["valkey"]["content"]


def test_the_check_of_beat_tells_an_old_sign_of_life(redis_client):
    check = [sys.executable, ROOT / "deploy" / "beat_answers.py", "60"]
    redis_client.set("health:beat", time.time())
    assert subprocess.run(check, env=redis_address()).returncode == 0
    redis_client.set("health:beat", time.time() - 61)
    late = subprocess.run(check, env=redis_address(), capture_output=True, text=True)
    assert (late.returncode, late.stderr) == (1, "beat has sent nothing for 60 s\n")


def redis_address():
    return {**os.environ, "REDIS_URL": settings.REDIS_URL}


@pytest.fixture
def redis_client():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client
        client.delete("health:beat")


def test_defaults_are_those_of_the_example(compose):
    example = dict(
        re.findall(r"^# ([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    found = set(DEFAULT.findall((ROOT / "docker-compose.yml").read_text()))
    assert len(found) > 3
    assert [(name, value) for name, value in found if example[name] != value] == []


def test_the_image_does_not_run_as_root_and_installs_by_hash():
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    assert "--require-hashes" in text


def test_the_image_leaves_out_what_is_secret_or_large():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", ".git", ".venv", "var"} <= set(ignored)
