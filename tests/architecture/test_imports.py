"""Who may import whom, and what imports without the frameworks."""

import os
import pkgutil
import subprocess
import sys

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
FRAMEWORKS = ("django", "rest_framework", "celery", "channels", "psycopg2", "redis")
NETWORK = ("httpx", "websockets", "msgspec", "cryptography", "plotly")


def modules_of(package):
    folder = ROOT.joinpath(*package.split("."))
    found = pkgutil.walk_packages([str(folder)], prefix=f"{package}.")
    return [package, *(module.name for module in found)]


def import_without(modules, blocked):
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(len(sys.modules))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=25
    )


@pytest.mark.parametrize(
    "package", ["marketdata.domain", "strategies.domain", "strategies.sandbox"]
)
def test_the_domain_imports_without_any_framework(package):
    modules = modules_of(package)
    assert len(modules) > 7
    done = import_without(modules, (*FRAMEWORKS, *NETWORK, "tcpdashboard"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["marketdata.collector", "marketdata.simulator"])
def test_what_talks_to_an_exchange_imports_without_django(package):
    modules = modules_of(package)
    assert len(modules) > 5
    done = import_without(modules, (*FRAMEWORKS, "tcpdashboard"))
    assert done.returncode == 0, done.stderr


def test_a_blocked_framework_would_be_noticed():
    assert import_without(["tcpdashboard.celery"], FRAMEWORKS).returncode != 0


def test_the_import_contract_is_kept():
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout
    assert "0 kept" not in done.stdout


@pytest.mark.parametrize("app", ["marketdata", "strategies", "backtests", "bots"])
def test_an_app_imports_without_being_installed(app):
    assert (ROOT / app / "__init__.py").read_text() == ""
