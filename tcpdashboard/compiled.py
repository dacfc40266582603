"""Where the machine code that Numba makes is kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_MARKS = (b"@compiled", b"@njit")


def keep_compiled_code(base_dir: Path, var_dir: Path) -> Path:
    """Let Numba keep its machine code under `var_dir`, unless NUMBA_CACHE_DIR says where already.

    Call before Numba is imported. The folder is named for the sources of all compiled functions:
    Numba looks only at the file of the one it loads, not at those that were compiled into it.
    """
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(base_dir.glob("*/domain/**/*.py")):
        source = file.read_bytes()
        if any(mark in source for mark in _MARKS):
            digest.update(source)
    folder = os.environ.get("NUMBA_CACHE_DIR") or str(var_dir / "numba" / digest.hexdigest())
    os.environ["NUMBA_CACHE_DIR"] = folder
    return Path(folder)
