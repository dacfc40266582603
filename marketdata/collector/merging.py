"""Several emissions of the same instrument as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from marketdata.collector.ports import InstrumentBatch
from marketdata.domain.events import Emission


def merge(items: Sequence[InstrumentBatch]) -> tuple[InstrumentBatch, ...]:
    """Return one batch for each instrument of `items`, emissions in their order."""
    by_symbol: dict[str, list[InstrumentBatch]] = {}
    for item in items:
        by_symbol.setdefault(item.symbol, []).append(item)
    return tuple(
        group[0] if len(group) == 1 else _merge_one(symbol, group)
        for symbol, group in by_symbol.items()
    )


def _merge_one(symbol: str, group: list[InstrumentBatch]) -> InstrumentBatch:
    emissions = [item.emission for item in group]
    merged = Emission(
        trades=np.concatenate([emission.trades for emission in emissions]),
        openings=tuple(chain.from_iterable(emission.openings for emission in emissions)),
        minutes=np.concatenate([emission.minutes for emission in emissions]),
        rebuild=tuple(sorted(set(chain.from_iterable(each.rebuild for each in emissions)))),
        opened=tuple(chain.from_iterable(emission.opened for emission in emissions)),
        repaired=tuple(chain.from_iterable(emission.repaired for emission in emissions)),
        given_up=tuple(chain.from_iterable(emission.given_up for emission in emissions)),
    )
    return InstrumentBatch(symbol, merged, max(item.exchange_ms for item in group))
