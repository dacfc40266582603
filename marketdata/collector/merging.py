"""Several emissions of the same instrument as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from marketdata.collector.ports import InstrumentBatch
from marketdata.domain.events import Emission
from marketdata.domain.records import Candles


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
    exchange_ms = max(item.exchange_ms for item in group)
    return InstrumentBatch(symbol, merged, exchange_ms, _confirmed(group))


def _confirmed(group: list[InstrumentBatch]) -> Candles:
    """Return the confirmed candles in order; of two of a minute the later one counts."""
    candles = np.concatenate([item.confirmed for item in group][::-1])
    _, places = np.unique(candles["open_time_ms"], return_index=True)
    chosen: Candles = candles[places]
    return chosen
