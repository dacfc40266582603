"""Whether figures that were computed twice are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

# Sums of floats may differ in their last digits between processors; what is traded may not.
_SAME: Final = 1e-9


def figures_that_differ(
    name: str, then: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, str]:
    """Return what each figure was and is, as `name`.key, of those that are not the same."""
    return {
        f"{name}.{key}": f"was {then.get(key)}, is {now.get(key)}"
        for key in {**then, **now}
        if not _is_same(then.get(key), now.get(key))
    }


def _is_same(then: Any, now: Any) -> bool:
    if not isinstance(then, int | float) or not isinstance(now, int | float):
        return then is None and now is None
    return math.isclose(then, now, rel_tol=_SAME, abs_tol=_SAME)
