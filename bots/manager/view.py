"""What one step sees of an instrument: its clock and its minutes, each loaded once."""

from __future__ import annotations

from typing import Final

import numpy as np
from django.conf import settings
from django.db.models.functions import Now

from backtests.domain.units import Units
from bots.domain.timeline import StoredMinutes, Timeline, timeline
from bots.storage.minutes import exchange_now_ms, last_price, read_end, read_minutes, read_repairs
from marketdata.domain.columns import CandleColumns
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Collector, Instrument
from marketdata.supervision.staleness import feed_age

MOST_MINUTES: Final = 50_000
"""Minutes that are looked at in one step; what lags by more takes several."""

_FAR_MS: Final = 2**47


class InstrumentView:
    """An instrument at one moment.

    `now_ms` is the exchange's time, or that of a clock over stored candles: then nothing is known
    that was not by then.
    """

    def __init__(self, instrument: Instrument, clock_ms: int | None = None) -> None:
        self.instrument = instrument
        self.units = Units.of(instrument.spec)
        self.is_live = clock_ms is None
        self._clock_ms = clock_ms
        self._exchange_ms = exchange_now_ms(instrument.exchange) if clock_ms is None else clock_ms
        self._stored: dict[int, StoredMinutes] = {}
        self._lines: dict[tuple[int, Units], Timeline] = {}
        self._live_price: float | None = None
        self.is_cut = False

    @property
    def now_ms(self) -> int:
        """The newest time that is known of; 0 when nothing is."""
        known = max((stored.known_ms for stored in self._stored.values()), default=0)
        return max(self._exchange_ms, known) if self.is_live else self._exchange_ms

    def line(self, start_ms: int, units: Units | None = None) -> Timeline:
        """Return the minutes from `start_ms` on, no more than MOST_MINUTES of them.

        Prices are in ticks of `units`, by default of those that the instrument has now.
        """
        name = start_ms, units or self.units
        if name not in self._lines:
            self._lines[name] = self._timeline(*name)
        return self._lines[name]

    def candles(self, start_ms: int, end_ms: int) -> CandleColumns:
        """Return the stored minutes that open in [start_ms, end_ms)."""
        found = self._read(start_ms).candles
        first, end = found.open_time_ms.searchsorted((start_ms, end_ms))
        return found[int(first) : int(end)]

    def live_tick(self, units: Units) -> int:
        """Return the price of the last trade in ticks of `units`; 0 while the feed is stale.

        Asked for once a step: hundreds of bots may be made flat by it.
        """
        if self._live_price is None:
            self._live_price = (last_price(self.instrument) or 0.0) if self._is_fed() else 0.0
        return units.ticks(np.array([self._live_price]))[1]

    def _is_fed(self) -> bool:
        if self.instrument.collector_id is None:
            return False
        rows = Collector.objects.filter(pk=self.instrument.collector_id).annotate(now=Now())
        row = rows.first()
        age = row and feed_age(row, self.instrument.symbol, row.now)
        limits = (settings.FEED_STALE_SECONDS, settings.FEED_SILENT_SECONDS)
        return bool(age and not age.why_stale(*limits))

    def _timeline(self, start_ms: int, units: Units) -> Timeline:
        stored = self._read(start_ms)
        line = timeline(stored, units, start_ms, self.now_ms)
        if line.halves.is_closed[: line.length].all():
            return line
        # Only where a minute is missing it matters what is being repaired.
        repairs = read_repairs(self.instrument, start_ms)
        return timeline(stored, units, start_ms, self.now_ms, repairs) if repairs else line

    def _read(self, start_ms: int) -> StoredMinutes:
        """Return the minutes from `start_ms` on; of those read already, when they begin early."""
        for first_ms, stored in self._stored.items():
            if first_ms <= start_ms and not self.is_cut:
                return stored
        if start_ms not in self._stored:
            self._stored[start_ms] = self._load(start_ms)
        return self._stored[start_ms]

    def _load(self, start_ms: int) -> StoredMinutes:
        end_ms = _FAR_MS if self.is_live else Timeframe.M1.open_time(self._exchange_ms)
        known_ms = max(self._exchange_ms, start_ms)
        if known_ms - start_ms > MOST_MINUTES * MINUTE_MS:
            cut_ms = read_end(self.instrument, start_ms, MOST_MINUTES)
            if cut_ms is not None and cut_ms < end_ms:
                end_ms, self.is_cut = cut_ms, True
        openings_end_ms = end_ms if self.is_live else self._exchange_ms
        return read_minutes(self.instrument, start_ms, end_ms, openings_end_ms)
