"""Loading the compiled comparisons of strategies before the first decision waits for them."""

from __future__ import annotations

import numpy as np

from strategies.domain.deciding import exceeds, side


def warm_kernels() -> None:
    """Compare one value: a moment when the machine code is on disk."""
    one = np.ones(1)
    exceeds(one, one, one)
    side(one, one, one, 0.0)
