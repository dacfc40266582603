"""Which messages are kept as they came: at most one of a channel and instrument in a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from marketdata.collector.clock import ExchangeClock
from marketdata.collector.complaints import Complaints
from marketdata.collector.ports import Recorder
from marketdata.domain.raw import RawChannel, RawMessage

FAR_FUTURE: Final = "raw message from the far future"


class Tap:
    """Hands what is due to the recorder; costs a look-up for what is not.

    `every_s` are the channels that are kept and their least distance in exchange time, so that
    the same stretch gives the same rows whatever the speed of the machine.
    """

    def __init__(
        self,
        recorder: Recorder,
        every_s: Mapping[RawChannel, float],
        clock: ExchangeClock,
        complaints: Complaints,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._recorder, self._clock, self._complaints = recorder, clock, complaints
        self._every_ms = {channel: int(every_s[channel] * 1000) for channel in every_s}
        self._wall_ms = wall_ms
        self._slots: dict[tuple[RawChannel, str], int] = {}

    @property
    def now_ms(self) -> int:
        """The exchange's time as far as it is known; before its first event, this machine's."""
        return self._clock.now_ms or self._wall_ms()

    def keeps(self, channel: RawChannel) -> bool:
        """Whether anything of a channel is kept."""
        return channel in self._every_ms

    def is_due(self, channel: RawChannel, subject: str) -> bool:
        """Whether the next message of a channel about `subject` is one to keep."""
        every_ms = self._every_ms.get(channel)
        if every_ms is None:
            return False
        if every_ms == 0:
            return True
        # Before the first event 0, and not this machine's time: that may be far ahead.
        slot = self._clock.now_ms // every_ms
        if slot <= self._slots.get((channel, subject), -1):
            return False
        self._slots[channel, subject] = slot
        return True

    def keep(
        self, channel: RawChannel, symbol: str | None, exchange_ms: int, payload: bytes
    ) -> None:
        """Hand one row to the recorder, unless its time cannot be true."""
        if exchange_ms > self._clock.limit_ms:
            self._complaints.add(FAR_FUTURE, payload)
            return
        message = RawMessage(channel, symbol, exchange_ms, self._wall_ms(), payload)
        self._recorder.record(message)
