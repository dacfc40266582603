"""Sparklines: a series of closes as the points of one small SVG line."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 120
HEIGHT: Final = 32
# Room for half of the line's stroke.
_INSET: Final = 2


def sparkline_points(closes: NDArray[np.float64]) -> str:
    """Return the `points` of a polyline in a WIDTH x HEIGHT box; empty for fewer than two."""
    if len(closes) < 2:
        return ""
    x = np.linspace(_INSET, WIDTH - _INSET, len(closes))
    low, high = float(closes.min()), float(closes.max())
    share = (closes - low) / (high - low) if high > low else np.full(len(closes), 0.5)
    y = HEIGHT - _INSET - share * (HEIGHT - 2 * _INSET)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
