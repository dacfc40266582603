"""What every REST endpoint shares: JSON by orjson, and a limit per person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import orjson
import structlog
from redis import RedisError
from rest_framework import parsers, renderers, throttling
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)


class OrjsonRenderer(renderers.BaseRenderer):
    """JSON with NumPy arrays written as they are."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


class OrjsonParser(parsers.BaseParser):
    """JSON as the standard has it: no NaN, no half of a character, no invalid UTF-8."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise ParseError(f"expected JSON: {error}") from None


class PersonThrottle(throttling.UserRateThrottle):
    """A limit per person. A cache that is down lets requests pass: data matters more."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            log.warning("throttle_without_cache", error=str(error))
            return True
