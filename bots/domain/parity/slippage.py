"""What the book asked for at each decision, beside what the model of slippage charges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

_BPS: Final = 10_000
_EDGES: Final = (-10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_SHARES: Final = (0, 5, 25, 50, 75, 95, 100)


class Quote(NamedTuple):
    """The best bid and ask at a decision, its close, and whether it asked to buy."""

    bid: float
    ask: float
    close: float
    is_buy: bool


def slippage_observed(quotes: Sequence[Quote], model_bps: float) -> dict[str, Any]:
    """Return how much worse than the close the book was, in basis points, as a distribution.

    Below zero the book was better. `bins` are [from, up to, decisions], None without an end.
    Empty without quotes.
    """
    if not quotes:
        return {}
    costs = np.array([_cost_bps(quote) for quote in quotes])
    spreads = np.array([(one.ask - one.bid) / (one.ask + one.bid) * 2 * _BPS for one in quotes])
    levels = np.percentile(costs, _SHARES).round(3).tolist()
    return {
        "decisions": len(quotes),
        "model_bps": model_bps,
        "mean_bps": round(float(costs.mean()), 3),
        "percentiles_bps": dict(zip(map(str, _SHARES), levels, strict=True)),
        "median_spread_bps": round(float(np.median(spreads)), 3),
        "worse_than_model": int((costs > model_bps).sum()),
        "bins": _bins(costs),
    }


def _cost_bps(quote: Quote) -> float:
    worse = quote.ask - quote.close if quote.is_buy else quote.close - quote.bid
    return worse / quote.close * _BPS


def _bins(costs: np.ndarray) -> list[tuple[float | None, float | None, int]]:
    places = np.searchsorted(_EDGES, costs, side="right")
    counts = np.bincount(places, minlength=len(_EDGES) + 1).tolist()
    return list(zip((None, *_EDGES), (*_EDGES, None), counts, strict=True))
