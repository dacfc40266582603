"""The exchange's clock: the newest event time it has delivered."""

from __future__ import annotations

from marketdata.domain.timeframe import DAY_MS


class ExchangeClock:
    """Never goes back, and never follows one absurd event into the future."""

    def __init__(self, largest_step_ms: int = DAY_MS) -> None:
        self._largest_step_ms = largest_step_ms
        self._now_ms = 0
        self._anchor_ms = 0

    @property
    def now_ms(self) -> int:
        """The newest event time; 0 before the first event."""
        return self._now_ms

    @property
    def limit_ms(self) -> int:
        """Events later than this are not believed."""
        known = max(self._now_ms, self._anchor_ms)
        return known + self._largest_step_ms if known else 2**53

    def anchor(self, server_ms: int) -> None:
        """Learn the exchange's own time after a connect: events up to there are believable."""
        self._anchor_ms = max(self._anchor_ms, server_ms)

    def advance(self, event_ms: int) -> bool:
        """Take an event's time; return False when it is not believable."""
        if event_ms > self.limit_ms:
            return False
        self._now_ms = max(self._now_ms, event_ms)
        return True
