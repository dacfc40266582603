"""Finding the one strategy that a file or a dotted path means; loading in the child only."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from strategies.domain.base import BaseStrategy


@dataclass(frozen=True, slots=True)
class Loaded:
    """A strategy's class with the text of the file that defines it, as it was loaded."""

    strategy: type[BaseStrategy]
    code: str
    file: str
    changed_at: float
    """When the file was last changed before that, in seconds since 1970."""


def load(reference: str) -> Loaded:
    """Return the class that `reference` names: a path of a file, or package.module:Class.

    Raises whatever the code raises, and LookupError when there is not exactly one strategy.
    """
    if not reference.endswith(".py"):
        strategy = _named(reference)
        file = Path(inspect.getfile(strategy))
        return Loaded(strategy, _text(file.read_bytes()), str(file), file.stat().st_mtime)
    file = Path(reference)
    changed_at, content = file.stat().st_mtime, file.read_bytes()
    strategy = _only_one(_module_of(file, content))
    return Loaded(strategy, _text(content), reference, changed_at)


def hash_of(code: str) -> str:
    """Return the SHA-256 of a strategy's code, in hexadecimal."""
    return hashlib.sha256(code.encode()).hexdigest()


def _named(reference: str) -> type[BaseStrategy]:
    name, _, attribute = reference.partition(":")
    module = importlib.import_module(name)
    found = getattr(module, attribute, None)
    if not (inspect.isclass(found) and issubclass(found, BaseStrategy)):
        raise LookupError(f"{name} has no strategy called {attribute!r}")
    return found


def _text(content: bytes) -> str:
    return importlib.util.decode_source(content)


def _module_of(path: Path, content: bytes) -> ModuleType:
    name = f"own_{path.stem}"
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise LookupError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look a class's module up by its name.
    sys.modules[name] = module
    # Not what was compiled before: a file that changed within a second passes for the old one.
    exec(loader.source_to_code(content, str(path)), vars(module))  # noqa: S102 - what it is for
    return module


def _only_one(module: ModuleType) -> type[BaseStrategy]:
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, BaseStrategy)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise LookupError(f"expected one strategy (a BaseStrategy with all methods); found {names}")
    return found[0]
