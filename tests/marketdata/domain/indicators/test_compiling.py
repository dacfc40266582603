"""Numba: paid for when something is computed, compiled once, kept under var."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from tcpdashboard.compiled import keep_compiled_code

ROOT = settings.BASE_DIR


def run(code, cwd=ROOT, **environment):
    """Run Python code in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_web_process_starts_without_numba():
    code = (
        "import django, sys; django.setup()\n"
        "import tcpdashboard.urls, tcpdashboard.asgi, marketdata.domain.indicators\n"
        "print('numba' in sys.modules, 'marketdata.charts.windows' in sys.modules)"
    )
    assert run(code) == "False True"


def test_importing_takes_less_than_a_second_and_so_does_warming_up_once_compiled():
    run("from marketdata.domain.indicators import warm; warm()")
    code = (
        "import time\n"
        "from marketdata.domain.indicators import warm\n"
        "imported = time.process_time()\n"
        "import numba\n"
        "with_numba = time.process_time()\n"
        "warm()\n"
        "print(imported, time.process_time() - with_numba)"
    )
    imported, warmed = map(float, run(code).split())
    assert imported < 1
    assert warmed < 1


@pytest.mark.slow
def test_compiled_code_is_kept_under_var_and_used_again_from_a_read_only_tree(tmp_path):
    tree, var = tmp_path / "site-packages", tmp_path / "var"
    for package in ("marketdata/domain", "tcpdashboard"):
        shutil.copytree(
            ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    (tree / "marketdata/__init__.py").touch()
    make_read_only(tree)
    code = (
        "from pathlib import Path\n"
        "from tcpdashboard.compiled import keep_compiled_code\n"
        "keep_compiled_code(Path.cwd(), Path(VAR))\n"
        "from marketdata.domain.indicators import warm; warm()\n"
        "from marketdata.domain.indicators.kernels import smoothing, windows\n"
        "each = (smoothing.ema, smoothing.macd, windows.bollinger, windows.stochastic)\n"
        "print(sum(sum(one.stats.cache_hits.values()) for one in each))"
    ).replace("VAR", repr(str(var)))
    alone = {"NUMBA_CACHE_DIR": "", "PYTHONDONTWRITEBYTECODE": "1"}

    assert run(code, tree, **alone) == "0"
    kept = {file: file.stat().st_mtime_ns for file in var.rglob("*") if file.is_file()}
    assert run(code, tree, **alone) == "4"

    assert kept
    assert {file: file.stat().st_mtime_ns for file in var.rglob("*") if file.is_file()} == kept
    assert not list(tree.rglob("*.nb?"))


def make_read_only(folder: Path):
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_code_compiled_from_other_sources_is_not_used_again(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    kernels = tmp_path / "app" / "domain" / "kernels"
    kernels.mkdir(parents=True)
    plain, kernel = kernels.parent / "plain.py", kernels / "sums.py"
    folders = []
    for plain_text, kernel_text in (("a", "@compiled"), ("b", "@compiled"), ("b", "@compiled 2")):
        plain.write_text(plain_text)
        kernel.write_text(kernel_text)
        folders.append(keep_compiled_code(tmp_path, tmp_path / "var"))
        monkeypatch.delenv("NUMBA_CACHE_DIR")

    assert folders[0] == folders[1] != folders[2]
    assert {folder.parent for folder in folders} == {tmp_path / "var" / "numba"}


def test_a_folder_that_was_given_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/somewhere/else")
    assert keep_compiled_code(ROOT, tmp_path) == Path("/somewhere/else")
    assert os.environ["NUMBA_CACHE_DIR"] == "/somewhere/else"


def test_only_compiled_code_imports_numba():
    importing = {
        str(file.relative_to(ROOT))
        for file in ROOT.glob("marketdata/**/*.py")
        if "numba" in file.read_text() and "import numba" in file.read_text()
    }
    assert importing == {"marketdata/domain/compiling.py"}


def test_the_command_compiles_all_of_them(capsys):
    call_command("compile_kernels")
    assert capsys.readouterr().out.startswith("14 indicators and the execution")
