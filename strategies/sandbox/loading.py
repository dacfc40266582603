"""Finding the one strategy that a file or a dotted path means. In the child process only."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from strategies.domain.base import BaseStrategy


def load(reference: str) -> type[BaseStrategy]:
    """Return the class that `reference` names: a path of a file, or package.module:Class.

    Raises whatever the code raises, and LookupError when there is not exactly one strategy.
    """
    if reference.endswith(".py"):
        return _only_one(_module_of(Path(reference)))
    name, _, attribute = reference.partition(":")
    module = importlib.import_module(name)
    found = getattr(module, attribute, None)
    if not (inspect.isclass(found) and issubclass(found, BaseStrategy)):
        raise LookupError(f"{name} has no strategy called {attribute!r}")
    return found


def file_of(strategy: type[BaseStrategy]) -> str:
    """Return the path of the file that defines a strategy."""
    return inspect.getfile(strategy)


def _module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise LookupError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look a class's module up by its name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
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
