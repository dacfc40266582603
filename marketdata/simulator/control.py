"""The control endpoints: what the exchange is doing, how fast, and what shall go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from marketdata.simulator.clock import ExchangeClock
from marketdata.simulator.faults import Faults, read_faults
from marketdata.simulator.wire import Request, Response

_FASTEST: Final = 100_000.0


class Speed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exchange seconds for one second of wall time; 0 holds the clock."""

    speed: float


class Control:
    """Answers /control/state, /control/speed and /control/faults."""

    def __init__(
        self,
        clock: ExchangeClock,
        faults: Faults,
        begin_faults: Callable[[], None],
        state: Callable[[], dict[str, object]],
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._begin_faults = begin_faults
        self._state = state

    def answer(self, request: Request) -> Response:
        """Answer a request; a wrong one says what was expected."""
        answer = {
            ("GET", "/control/state"): self._show,
            ("POST", "/control/speed"): self._set_speed,
            ("POST", "/control/faults"): self._add_faults,
            ("DELETE", "/control/faults"): self._clear_faults,
        }.get((request.method, request.path))
        if answer is None:
            return Response({"error": f"no such control: {request.method} {request.path}"}, 404)
        try:
            answer(request.body)
        except ValueError as error:
            return Response({"error": str(error)}, 400)
        return Response(self._state())

    def _show(self, body: bytes) -> None:
        """Change nothing: every answer is the state."""

    def _set_speed(self, body: bytes) -> None:
        speed = msgspec.json.decode(body, type=Speed).speed
        if not 0 <= speed <= _FASTEST:
            raise ValueError(f"expected a speed from 0 to {_FASTEST:g}, was {speed:g}")
        self._clock.speed = speed

    def _add_faults(self, body: bytes) -> None:
        self._faults.add(read_faults(body))
        self._begin_faults()

    def _clear_faults(self, body: bytes) -> None:
        self._faults.clear()
