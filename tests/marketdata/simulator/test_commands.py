"""The command, its options, and what lies in its state folder."""

from __future__ import annotations

import argparse
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketdata.simulator.cli import add_arguments, config_of, start_ms
from marketdata.simulator.config import NO_LIMITS, Config
from marketdata.simulator.tls import certificates
from tests.simulated_exchange import ROOT, START_MS

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def parsed(*options: str) -> Config:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return config_of(vars(parser.parse_args(["--state", "var/exchange", *options])))


def test_options_become_the_configuration():
    config = parsed("--port", "0", "--tls-port", "7", "--seed", "3", "--speed", "60", "--hold")

    assert (config.port, config.tls_port, config.seed, config.speed, config.hold) == (
        0,
        7,
        3,
        60.0,
        True,
    )
    assert config.state == Path("var/exchange")
    assert parsed("--no-limits").limits == NO_LIMITS
    assert config.limits.connections_per_second == 3


def test_a_start_without_offset_is_utc():
    assert start_ms("2026-01-05T12:00:00") == START_MS
    assert start_ms("2026-01-05T13:00:00+01:00") == START_MS
    assert parsed("--start", "2026-01-05T12:00").start_ms == START_MS


def test_the_command_says_what_is_wrong_in_one_sentence(tmp_path):
    with pytest.raises(CommandError, match="a tape needs its symbol") as error:
        call_command("simulate_exchange", "--state", str(tmp_path), "--tape", "x.csv")

    assert error.value.returncode == 2


def test_the_module_ends_with_code_2_when_something_is_wrong(tmp_path):
    command = [sys.executable, "-m", "marketdata.simulator", "--state", str(tmp_path)]
    ended = subprocess.run(
        [*command, "--tape", str(tmp_path / "none.csv"), "--symbol", "BTC-USDT"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 2
    assert "none.csv" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_simulator_runs_without_django():
    code = "import sys, marketdata.simulator.cli; sys.exit('django' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=20, check=False)

    assert ended.returncode == 0


def test_certificates_are_kept_until_they_are_about_to_expire(tmp_path):
    first = certificates(tmp_path, NOW)
    made = first.ca.read_bytes()

    assert certificates(tmp_path, NOW + timedelta(days=700)).ca.read_bytes() == made
    assert certificates(tmp_path, NOW + timedelta(days=800)).ca.read_bytes() != made


def test_the_servers_key_is_for_its_owner_only(tmp_path):
    assert stat.S_IMODE(certificates(tmp_path, NOW).chain.stat().st_mode) == 0o600
