"""Every setting is written down in .env.example, with the default it has."""

import ast
import re

import environ
import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
NAME = re.compile(r"TCPD_[A-Z_]+|DATABASE_URL|REDIS_URL")
ENTRY = re.compile(r"^# ([A-Z_]+)=(.*)$", re.MULTILINE)
# Set by our own programs for their children, and for nobody else.
INTERNAL = {"TCPD_SUPERVISED", "TCPD_TEST_DATABASE_URL"}
# What is none of settings.py's business: their defaults are folders, or made at the first start.
OTHERS = {"TCPD_VAR", "TCPD_ADMIN_PASSWORD", "TCPD_SHARED_DATA"}
COMPUTED = {"TCPD_LOG_COLOR", "TCPD_LOG_DIR"}


def example():
    return (ROOT / ".env.example").read_text()


def documented():
    return dict(ENTRY.findall(example()))


def trees():
    files = [ROOT / "tests" / "conftest.py", ROOT / "manage.py"]
    for package in ("tcpdashboard", "marketdata"):
        files += (ROOT / package).rglob("*.py")
    return [ast.parse(file.read_text()) for file in files]


def names_in_code():
    texts = {
        node.value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if NAME.fullmatch(text)} - INTERNAL


def reads():
    """Yield (cast, name, default or None) for each env.cast("NAME", default=…)."""
    for tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="env"), attr=cast),
                    args=[ast.Constant(value=str(name))],
                ):
                    yield cast, name, next((k.value for k in node.keywords), None)


def names_in_compose():
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))


def test_every_name_that_code_or_compose_reads_is_documented_and_no_other():
    assert names_in_code() | names_in_compose() == set(documented())


def test_every_setting_is_read_once():
    names = [name for _, name, _ in reads()]
    assert sorted(names) == sorted(set(names))
    assert set(names) == names_in_code() - OTHERS
    assert len(names) > 20


@pytest.mark.parametrize(("cast", "name", "default"), sorted(reads(), key=lambda read: read[1]))
def test_the_documented_value_is_the_default(cast, name, default):
    shown = documented()[name]
    if default is None or name in COMPUTED:
        assert shown == ""
    else:
        read = environ.Env()
        read.ENVIRON = {name: shown}
        assert getattr(read, cast)(name) == ast.literal_eval(default)


def text_of(place):
    return "\n".join(file.read_text() for file in sorted(place.rglob("*.py")) or [place])


def test_every_entry_says_who_reads_it():
    blocks = [block for block in example().split("\n\n") if ENTRY.search(block)]
    for block in blocks:
        reader = re.search(r"^# Read by (\S+)$", block, re.MULTILINE)
        assert reader, block
        for name in (found[1] for found in ENTRY.finditer(block)):
            # By its own name, or by that of the setting which it becomes.
            words = re.compile(rf"\b({name}|{name.removeprefix('TCPD_')})\b")
            assert words.search(text_of(ROOT / reader[1])), f"{reader[1]} does not read {name}"
    assert len(blocks) > 15
