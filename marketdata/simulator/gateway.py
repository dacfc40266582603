"""REST requests on their way in and out: limits, faults, envelope, threads for slow answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from marketdata.simulator.errors import Refusal
from marketdata.simulator.faults import FaultKind, Faults
from marketdata.simulator.limits import Window
from marketdata.simulator.market import Market
from marketdata.simulator.rest import ENDPOINTS, Endpoint, Query
from marketdata.simulator.view import View
from marketdata.simulator.wire import Request, Response

TOO_MANY: Final = Response({"msg": "Too Many Requests", "code": "50011"}, 429)
_UNAVAILABLE: Final = Response(
    {"code": "50001", "msg": "Service temporarily unavailable. Try again later", "data": []}, 503
)
_NOT_FOUND: Final = Response({"code": "404", "msg": "Not Found", "data": []}, 404)


@dataclass(frozen=True, slots=True)
class Markets:
    """The same market twice, so that history in a thread shares no cache with the live feeds."""

    live: Market
    history: Market


class Gateway:
    """Answers REST requests."""

    def __init__(
        self, markets: Markets, faults: Faults, now_ms: Callable[[], int], scale: float | None
    ) -> None:
        self._markets = markets
        self._faults = faults
        self._now_ms = now_ms
        self._history = Lock()
        self._windows = {} if scale is None else _windows(scale)

    async def answer(self, request: Request, address: str, wall_s: float) -> Response:
        """Answer one request of a client at `address`."""
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None or request.method != "GET":
            return _NOT_FOUND
        refused = self._refused(request, address, wall_s)
        if refused is not None:
            return refused
        now_ms = self._now_ms()
        stale = self._faults.take_request(FaultKind.STALE, request.path)
        if stale is not None:
            now_ms -= int(stale.seconds * 1000)
        try:
            rows = await self._rows(endpoint, now_ms, request.query)
        except Refusal as refusal:
            body = {"code": refusal.code, "msg": refusal.message, "data": []}
            return Response(body, refusal.status)
        return Response({"code": "0", "msg": "", "data": rows})

    def _refused(self, request: Request, address: str, wall_s: float) -> Response | None:
        window = self._windows.get(request.path)
        key = (address, request.query.get("instType") if "instruments" in request.path else None)
        if window is not None and not window.allows(key, wall_s):
            return TOO_MANY
        for kind, answer in _FAULTS.items():
            if self._faults.take_request(kind, request.path) is not None:
                return answer
        return None

    async def _rows(self, endpoint: Endpoint, now_ms: int, query: Query) -> list[object]:
        if not endpoint.is_slow:
            return endpoint.answer(View(self._markets.live, now_ms), query)
        return await asyncio.to_thread(self._slow_rows, endpoint, now_ms, query)

    def _slow_rows(self, endpoint: Endpoint, now_ms: int, query: Query) -> list[object]:
        with self._history:
            return endpoint.answer(View(self._markets.history, now_ms), query)


def _windows(scale: float) -> dict[str, Window]:
    return {
        path: Window(max(1, round(endpoint.count * scale)), endpoint.seconds)
        for path, endpoint in ENDPOINTS.items()
    }


_FAULTS: Final = {
    FaultKind.RATE_LIMIT: TOO_MANY,
    FaultKind.UNAVAILABLE: _UNAVAILABLE,
    FaultKind.EMPTY: Response({"code": "0", "msg": "", "data": []}),
}
