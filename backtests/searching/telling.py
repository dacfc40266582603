"""What a search says of the candles it uses."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

from backtests.models import Search
from marketdata.domain.integrity import Integrity
from marketdata.models import Instrument

_SHARES: Final = ("complete_share", "flat_share", "revised_share", "verified_share")


def data_values(search: Search, found: Integrity) -> dict[str, Any]:
    """Return the columns of a search that tell of its candles."""
    told = {name: getattr(found, name) for name in _SHARES}
    return {
        "fingerprint": found.fingerprint.hex(),
        "integrity": {**told, "complete": found.complete, "missing": found.missing},
        "badges": _badges(search, found),
    }


def _badges(search: Search, found: Integrity) -> list[str]:
    told = []
    share = found.complete_share or 0.0
    if share < settings.BACKTEST_WARN_BELOW:
        told.append(f"only {share:.2%} of the minutes are complete")
    if search.instrument.kind == Instrument.Kind.SWAP:
        told.append("funding not modelled")
    return told
