"""./dev: says in one sentence what is missing, and installs only when a lock changed."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
OLD_PYTHONS = ("python3.6", "python3.7", "python3.8", "python3.9", "python3.10")


@pytest.fixture
def checkout(tmp_path):
    """A checkout with ./dev and locks that need no download."""
    folder = tmp_path / "check out"
    folder.mkdir()
    shutil.copy(ROOT / "dev", folder)
    (folder / "requirements.txt").write_text("")
    (folder / "requirements-dev.txt").write_text("")
    (folder / "manage.py").write_text("import sys; print('managed', *sys.argv[1:])")
    return folder


@pytest.fixture
def dev(tmp_path):
    """The script as a module, for its parts."""
    loader = SourceFileLoader("dev_script", str(ROOT / "dev"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("dev_script", loader))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def run(checkout, *arguments, python=sys.executable, **environment):
    return subprocess.run(
        [python, str(checkout / "dev"), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def refusal(capsys, call):
    """Return the one sentence with which `call` stopped; its exit code must be 2."""
    with pytest.raises(SystemExit) as stopped:
        call()
    assert stopped.value.code == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("./dev: ")
    return sentence


def runnable(name):
    """The real program behind a name on the PATH; a version manager's stub may not run."""
    done = subprocess.run(
        [shutil.which(name) or "false", "-c", "import sys; print(sys.executable)"],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or None


def old_pythons():
    homes = sorted(Path("~/.pyenv/versions").expanduser().glob("3.[6-9].*/bin/python"))
    homes += sorted(Path("~/.pyenv/versions").expanduser().glob("3.10.*/bin/python"))
    return [*map(str, homes), *filter(None, map(runnable, OLD_PYTHONS))]


def test_an_old_python_is_told_which_it_needs(checkout):
    pythons = old_pythons()
    if not pythons:
        pytest.skip("there is no old Python here; the next test pretends")
    for python in pythons:
        done = run(checkout, "up", python=python)
        assert done.returncode == 2
        assert done.stderr.startswith("./dev: Python 3.11 or later is needed, this is 3.")
        assert len(done.stderr.splitlines()) == 1


def test_a_python_that_says_it_is_old_is_told_which_it_needs():
    pretend = f"import sys; sys.version_info = (3, 10, 0); exec(open({str(ROOT / 'dev')!r}).read())"
    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True)
    assert done.returncode == 2
    assert "this is 3.10" in done.stderr


def test_the_script_uses_no_syntax_that_an_old_python_cannot_read():
    import ast

    ast.parse((ROOT / "dev").read_text(), feature_version=(3, 7))
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case 1:\n        pass", feature_version=(3, 7))


def test_a_missing_venv_module_is_one_sentence(dev, capsys, monkeypatch):
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    sentence = refusal(capsys, dev.require_venv_module)
    assert "module venv is missing" in sentence
    assert "apt install python3-venv" in sentence


def test_too_little_disk_space_is_one_sentence(dev, capsys, tmp_path):
    sentence = refusal(capsys, lambda: dev.require_space(tmp_path, 10**9))
    assert "1000000000 MB of disk space are needed" in sentence


def test_a_disk_that_fills_up_while_installing_is_one_sentence(dev, capsys):
    output = (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    )
    with pytest.raises(SystemExit) as stopped:
        dev.explain(output + "\n", "requirements.txt could not be installed")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "./dev: the disk is full: free some space and start again"
    )


def test_what_is_started_keeps_its_bytecode_whatever_the_shell_says(checkout):
    (checkout / "manage.py").write_text("import sys; print(sys.dont_write_bytecode)")
    done = run(checkout, "manage", PYTHONDONTWRITEBYTECODE="1")
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_an_unknown_command_lists_the_known_ones(checkout):
    done = run(checkout, "dance")
    assert done.returncode == 2
    assert done.stderr == (
        "./dev: there is no command dance: choose one of "
        "up, test, lint, bench, shell, manage, lock\n"
    )


def test_help_names_every_command(checkout, dev):
    done = run(checkout)
    assert done.returncode == 0
    assert all(f"./dev {name}" in done.stdout for name in dev.COMMANDS)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_environment_is_made_once_and_again_when_the_lock_changes(checkout):
    first = run(checkout, "manage", "hello", "a b")
    assert first.stdout.splitlines()[-1] == "managed hello a b", first.stderr
    assert "installing requirements.txt" in first.stdout

    second = run(checkout, "manage", "hello")
    assert second.stdout == "managed hello\n"

    (checkout / "requirements.txt").write_text("# changed\n")
    third = run(checkout, "manage", "hello")
    assert "installing requirements.txt" in third.stdout
    assert "making .venv" not in third.stdout

    packages = next((checkout / ".venv").glob("lib/python*/site-packages"))
    (packages / "other-1.dist-info").mkdir()
    fourth, fifth = (run(checkout, "manage", "hello") for _ in range(2))
    assert "installing requirements.txt" in fourth.stdout, "somebody else has changed it"
    assert fifth.stdout == "managed hello\n"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_broken_environment_is_made_anew(checkout):
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/python")
    done = run(checkout, "manage", "hello")
    assert done.stdout.splitlines()[-1] == "managed hello", done.stderr


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_package_with_another_hash_is_not_installed(checkout):
    wheel = checkout / "tiny-1-py3-none-any.whl"
    wheel.write_bytes(b"not what was locked")
    digest = hashlib.sha256(b"what was locked").hexdigest()
    (checkout / "requirements.txt").write_text(f"tiny @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    done = run(checkout, "manage", "hello", PIP_NO_INDEX="1")
    assert done.returncode == 2
    assert "HASH" in done.stderr.upper()
    assert done.stderr.splitlines()[-1] == (
        "./dev: requirements.txt could not be installed: see the lines above"
    )
    assert not (checkout / ".venv" / "installed.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_tests_need_includes_what_running_needs(checkout):
    first = run(checkout, "bench")
    assert "installing requirements-dev.txt" in first.stdout
    assert run(checkout, "manage", "hello").stdout == "managed hello\n"
    installed = json.loads((checkout / ".venv" / "installed.json").read_text())
    assert set(installed) == {"requirements.txt", "requirements-dev.txt", "packages"}


def locked(name):
    lines = (ROOT / name).read_text().splitlines()
    pins = [line.split()[0] for line in lines if "==" in line and not line.startswith(" ")]
    return dict(pin.split("==") for pin in pins)


def test_tests_run_on_the_versions_that_production_runs_on():
    runtime, tests = locked("requirements.txt"), locked("requirements-dev.txt")
    assert len(runtime) > 40
    assert runtime.items() <= tests.items()


def test_the_lock_of_the_peers_holds_what_that_of_the_tests_lacks(dev):
    peers, tests = locked(dev.PEERS_LOCK), locked(dev.TESTS)
    assert {"vectorbt", "backtesting"} <= set(peers)
    assert not set(peers) & set(tests)
    lock = "one==1 \\\n    --hash=sha256:a\ntwo==2 ; python_version < '4' \\\n    --hash=sha256:b\n"
    assert dev.without(lock, "one==1 \\\n") == lock[lock.index("two") :]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_computes_is_compiled_where_tests_look_for_it(dev):
    assert dev.start_kernels().wait() == 0
    assert list(Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbc"))


@pytest.mark.parametrize(("code", "is_right"), [(0, True), (1, False)])
def test_types_are_looked_at_beside_the_tests_and_told_after_them(
    dev, capsys, monkeypatch, code, is_right
):
    told = f"print('line 7: a str is no int'); raise SystemExit({code})"
    monkeypatch.setattr(dev, "PYTHON", sys.executable)
    monkeypatch.setattr(dev, "TYPES", ("types", ["-c", told]))
    assert dev.are_right(dev.start_types()) is is_right
    assert capsys.readouterr().out == "── types\nline 7: a str is no int\n"


def test_peers_are_there_for_every_benchmark_that_asks_them(dev):
    folder = ROOT / "tests" / "benchmarks"
    asking = {
        path.stem.removeprefix("bench_")
        for path in folder.glob("bench_*.py")
        if re.search(r"tests\.peers|backtest_peers", path.read_text())
    }
    assert asking == dev.COMPARED


def test_tests_go_on_without_peers_that_cannot_be_installed(dev, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dev, "PEERS", tmp_path / "peers")
    monkeypatch.setattr(dev, "PYTHON", sys.executable)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    dev.wait_for_peers(dev.start_peers())
    assert "nothing is compared with other programs" in capsys.readouterr().out
    assert dev.stamp(tmp_path / "peers" / "installed.json") == {}


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements-peers.txt"]
)
def test_every_locked_package_has_hashes_and_no_address(name):
    text = (ROOT / name).read_text()
    blocks = text.replace("\\\n", "").splitlines()
    assert [block for block in blocks if block and "--hash=sha256:" not in block] == []
    assert "://" not in text


def test_everything_asked_for_is_locked():
    asked = (ROOT / "requirements.in").read_text().splitlines()
    names = {
        line.split("#")[0].strip().split("[")[0].split("=")[0].split("<")[0].split(">")[0]
        for line in asked
    } - {""}
    assert len(names) > 20
    assert names <= set(locked("requirements.txt"))
