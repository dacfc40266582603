"""Where trials run, and where the best of them are tested on candles that chose nothing.

Walk-forward: Robert Pardo, The Evaluation and Optimization of Trading Strategies, 2008, chapter 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from marketdata.domain.timeframe import DAY_MS, Timeframe

MOST_WINDOWS: Final = 200
_FEWEST_DAYS: Final = 1
_MOST_DAYS: Final = 3_660


class InvalidValidation(ValueError):
    """The range cannot be divided like that; `field` is the name that people see."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Window:
    """Trials run over `train`, the best of them over `test`: [start, end) in UTC milliseconds."""

    train: tuple[int, int]
    test: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        return {"train": list(self.train), "test": list(self.test) if self.test else None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Window:
        test = stored["test"]
        return cls(tuple(stored["train"]), tuple(test) if test else None)


def whole(start_ms: int, end_ms: int) -> tuple[Window, ...]:
    """Return the one window without a test."""
    return (Window((start_ms, end_ms)),)


def holdout(start_ms: int, end_ms: int, share: float, timeframe: Timeframe) -> tuple[Window, ...]:
    """Return the one window whose test is the last `share` of the range, from a whole candle on.

    Of a long range it is whole UTC days. Raises InvalidValidation.
    """
    if not 0.01 <= share <= 0.9:
        raise InvalidValidation("share", f"expected a share from 0.01 to 0.9; was {share:g}")
    is_long = end_ms - start_ms >= 10 * DAY_MS
    unit_ms = DAY_MS if is_long else timeframe.ms
    split_ms = int(end_ms - share * (end_ms - start_ms)) // unit_ms * unit_ms
    if not start_ms < split_ms < end_ms:
        raise InvalidValidation("share", "the range is too short to keep a part of it apart")
    return (Window((start_ms, split_ms), (split_ms, end_ms)),)


def walk_forward(
    start_ms: int, end_ms: int, train_days: int, test_days: int, *, is_anchored: bool
) -> tuple[Window, ...]:
    """Return windows whose tests follow each other without a gap, each after its training.

    The training is the `train_days` before the test, or, anchored, everything before it. The last
    test may be shorter. Raises InvalidValidation.
    """
    for field, days in (("train_days", train_days), ("test_days", test_days)):
        if not _FEWEST_DAYS <= days <= _MOST_DAYS:
            expected = f"expected {_FEWEST_DAYS} to {_MOST_DAYS} days"
            raise InvalidValidation(field, f"{expected}; were {days}")
    train_ms, test_ms = train_days * DAY_MS, test_days * DAY_MS
    first_ms = start_ms + train_ms
    if first_ms >= end_ms:
        raise InvalidValidation("train_days", "the range has no more days than these")
    count = -(-(end_ms - first_ms) // test_ms)
    if count > MOST_WINDOWS:
        raise InvalidValidation(
            "test_days", f"expected at most {MOST_WINDOWS} windows; these days make {count}"
        )
    return tuple(
        Window(
            (start_ms if is_anchored else begin_ms - train_ms, begin_ms),
            (begin_ms, min(begin_ms + test_ms, end_ms)),
        )
        for begin_ms in range(first_ms, end_ms, test_ms)
    )
