"""Finds channels that fell silent while others prove that they should not.

A socket may answer every ping while one of its channels is dead, and a quiet market is no dead
channel: so a channel is only accused by what other channels of the same instrument deliver.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Activity:
    """Counters of one instrument since the start.

    `volume_changes` counts candle pushes that showed a new volume: trades were made.
    """

    trades: int = 0
    candles: int = 0
    tickers: int = 0
    volume_changes: int = 0


class SilenceWatch:
    """Watches one channel against the evidence that it should speak."""

    def __init__(self, silence_s: float, longest_s: float = float("inf")) -> None:
        self._silence_s, self._longest_s = silence_s, longest_s
        self._patience = 1
        self._spoken = self._proven = 0
        self._spoke_at: float | None = None
        self._first_proof_at: float | None = None
        self._last_proof_at = 0.0

    def is_dead(self, spoken: int, proven: int, now_s: float) -> bool:
        """Look once: `spoken` counts the channel's messages, `proven` the evidence.

        Dead means: evidence kept coming for `silence_s` since the last message, or there was no
        message for `longest_s`. Each verdict doubles the time to the next one (up to 16 times)
        until the channel speaks, so that a channel which stays dead does not cost the others.
        """
        if self._spoke_at is None or spoken != self._spoken:
            if self._spoke_at is not None:
                self._patience = 1
            self._restart(spoken, proven, now_s)
            return False
        if proven != self._proven:
            self._proven = proven
            self._last_proof_at = now_s
            if self._first_proof_at is None:
                self._first_proof_at = now_s
        if not self._is_overdue(now_s):
            return False
        self._patience = min(16, self._patience * 2)
        self._restart(spoken, proven, now_s)
        return True

    def age_s(self, now_s: float) -> float | None:
        """Return the seconds since the last look that found a new message."""
        return None if self._spoke_at is None else now_s - self._spoke_at

    def _is_overdue(self, now_s: float) -> bool:
        assert self._spoke_at is not None
        if now_s - self._spoke_at >= self._longest_s * self._patience:
            return True
        if self._first_proof_at is None:
            return False
        return self._last_proof_at - self._first_proof_at >= self._silence_s * self._patience

    def _restart(self, spoken: int, proven: int, now_s: float) -> None:
        self._spoken, self._proven, self._spoke_at = spoken, proven, now_s
        self._first_proof_at = None


class InstrumentWatch:
    """The three channels of one instrument."""

    def __init__(self, silence_s: float, candle_silence_s: float) -> None:
        self.trades = SilenceWatch(silence_s)
        self.candles = SilenceWatch(silence_s, candle_silence_s)
        self.tickers = SilenceWatch(silence_s)

    def dead(self, activity: Activity, now_s: float) -> list[str]:
        """Return which of trades, candles and tickers died since the last look."""
        verdicts = {
            "trades": self.trades.is_dead(activity.trades, activity.volume_changes, now_s),
            "candles": self.candles.is_dead(activity.candles, activity.trades, now_s),
            "tickers": self.tickers.is_dead(activity.tickers, activity.trades, now_s),
        }
        return [name for name, dead in verdicts.items() if dead]

    def ages_s(self, now_s: float) -> dict[str, float | None]:
        """Return the seconds since each channel was last heard."""
        return {
            "trades": self.trades.age_s(now_s),
            "candles": self.candles.age_s(now_s),
            "tickers": self.tickers.age_s(now_s),
        }
