"""Finds channels that fell silent while others prove that they should not.

A socket may answer every ping while one of its channels is dead, and a quiet market is no dead
channel: so a channel is only accused by what other channels of the same instrument deliver.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

PATIENCE: Final = (1.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How much longer than its limit a channel may be silent, by how often it was found dead."""

KINDS: Final = ("trades", "candles", "tickers")
"""Those that every instrument has; books come only where they are kept."""


@dataclass(slots=True)
class Activity:
    """Counters of one instrument since the start.

    `volume_changes` counts candle pushes that showed a new volume: trades were made.
    """

    trades: int = 0
    candles: int = 0
    tickers: int = 0
    books: int = 0
    volume_changes: int = 0


class SilenceWatch:
    """Watches one channel against the evidence that it should speak."""

    def __init__(self, silence_s: float, longest_s: float = float("inf")) -> None:
        self.silence_s, self._longest_s = silence_s, longest_s
        # How often it was found dead since it last spoke.
        self.verdicts = 0
        self._spoken = self._proven = 0
        self._spoke_at: float | None = None
        self._first_proof_at: float | None = None
        self._last_proof_at = self._judged_at = 0.0

    def is_dead(self, spoken: int, proven: int, now_s: float) -> bool:
        """Look once: `spoken` counts the channel's messages, `proven` the evidence.

        Dead means: evidence kept coming for `silence_s` since the last message, or there was no
        message for `longest_s`. The second verdict takes half as long; from then on each doubles
        the time to the next one (up to 16 times) until the channel speaks, so that a channel which
        stays dead does not cost the others.
        """
        if self._spoke_at is None or spoken != self._spoken:
            self.verdicts = 0
            self._restart(spoken, proven, now_s)
            return False
        if proven != self._proven:
            self._proven = proven
            self._last_proof_at = now_s
            if self._first_proof_at is None:
                self._first_proof_at = now_s
        if not self._is_overdue(now_s):
            return False
        self.verdicts += 1
        self._judge_anew(proven, now_s)
        return True

    def excuse(self, proven: int, now_s: float) -> None:
        """Take note that the channel could not speak: nothing until now counts against it."""
        self._judge_anew(proven, now_s)

    def age_s(self, now_s: float) -> float | None:
        """Return the seconds since the last look that found a new message."""
        return None if self._spoke_at is None else now_s - self._spoke_at

    def _is_overdue(self, now_s: float) -> bool:
        patience = PATIENCE[min(self.verdicts, len(PATIENCE) - 1)]
        if now_s - self._judged_at >= self._longest_s * patience:
            return True
        if self._first_proof_at is None:
            return False
        return self._last_proof_at - self._first_proof_at >= self.silence_s * patience

    def _restart(self, spoken: int, proven: int, now_s: float) -> None:
        self._spoken, self._spoke_at = spoken, now_s
        self._judge_anew(proven, now_s)

    def _judge_anew(self, proven: int, now_s: float) -> None:
        self._proven, self._judged_at, self._first_proof_at = proven, now_s, None


class InstrumentWatch:
    """The channels of one instrument."""

    def __init__(self, silence_s: float, candle_silence_s: float) -> None:
        self.channels = {
            "trades": SilenceWatch(silence_s),
            "candles": SilenceWatch(silence_s, candle_silence_s),
            "tickers": SilenceWatch(silence_s),
            "books": SilenceWatch(silence_s),
        }

    def dead(
        self, activity: Activity, now_s: float, subscribed: Collection[str] = KINDS
    ) -> list[str]:
        """Return which of trades, candles, tickers and books died since the last look.

        Only of those that are `subscribed` anything is expected.
        """
        evidence = {
            "trades": (activity.trades, activity.volume_changes),
            "candles": (activity.candles, activity.trades),
            "tickers": (activity.tickers, activity.trades),
            # A trade takes from a side of the book.
            "books": (activity.books, activity.trades),
        }
        dead = []
        for kind, (spoken, proven) in evidence.items():
            if kind not in subscribed:
                self.channels[kind].excuse(proven, now_s)
            elif self.channels[kind].is_dead(spoken, proven, now_s):
                dead.append(kind)
        return dead

    def ages_s(self, now_s: float) -> dict[str, float | None]:
        """Return the seconds since each channel was last heard."""
        return {kind: channel.age_s(now_s) for kind, channel in self.channels.items()}
