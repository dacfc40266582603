"""The code that a built-in strategy decides by, as one hash."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[2]
# Indicators name their kernels by a text, so that no import leads to them.
_KERNELS: Final = "marketdata/domain/indicators/kernels"


@cache
def code_hash(module: str, root: Path = _ROOT) -> str:
    """Return the hash of a strategy's module and of all code of the project that it runs.

    That is what it imports, within functions too, what that imports, and the kernels of all
    indicators. It is looked at once in a process, which goes on with the code that it has loaded.
    """
    kernels = [_name_of(file, root) for file in (root / _KERNELS).glob("*.py")]
    found: dict[str, Path] = {}
    left = [module, *kernels]
    while left:
        name = left.pop()
        file = _file_of(name, root)
        if file is not None and name not in found:
            found[name] = file
            left += _imports(file)
    digest = hashlib.sha256()
    for name in sorted(found):
        content = found[name].read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _imports(file: Path) -> Iterator[str]:
    """Yield every name that may be a module which a file imports."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(name: str, root: Path) -> Path | None:
    """Return the file of a module of the project, None for any other name."""
    path = root.joinpath(*name.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _name_of(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts)
