"""Rules of style that a machine can check."""

import ast

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = settings.BASE_DIR
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
OURS = ("tcpdashboard", "marketdata", "strategies", "backtests", "bots")


def modules():
    files = [file for package in OURS for file in (ROOT / package).rglob("*.py")]
    return [file for file in files if "migrations" not in file.parts and file.read_text()]


def named(file):
    return str(file.relative_to(ROOT))


def functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.fixture(scope="module")
def trees():
    found = {named(file): ast.parse(file.read_text()) for file in modules()}
    assert len(found) > 50
    return found


def test_every_module_says_in_its_first_line_what_it_is(trees):
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_no_module_is_longer_than_one_idea():
    lengths = {named(file): len(file.read_text().splitlines()) for file in modules()}
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_a_screen(trees):
    long = {
        f"{name}:{function.name}": function.end_lineno - function.lineno + 1
        for name, tree in trees.items()
        for function in functions(tree)
        if function.end_lineno - function.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == {}


def test_nothing_is_called_helpers_or_utils(trees):
    assert [name for name in trees if name.endswith(("helpers.py", "utils.py"))] == []


def test_every_management_command_of_ours_is_run_by_a_test():
    commands = {
        name
        for name, app in get_commands().items()
        if isinstance(app, str) and app.startswith(OURS)
    }
    assert len(commands) > 3
    tests = "\n".join(
        file.read_text()
        for file in (ROOT / "tests").rglob("*.py")
        if "architecture" not in file.parts
    )
    assert sorted(name for name in commands if f'"{name}"' not in tests) == []
