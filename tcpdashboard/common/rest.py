"""What REST endpoints share: JSON by orjson, and a limit per person, which pages may have too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from math import ceil
from typing import IO, TYPE_CHECKING, Any

import orjson
import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis import RedisError
from rest_framework import parsers, renderers, throttling
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView

PageView = Callable[..., HttpResponse]

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

    def allow_request(self, request: Request | HttpRequest, view: APIView | None) -> bool:
        try:
            return super().allow_request(request, view)  # type: ignore[arg-type] # reads the user
        except RedisError as error:
            log.warning("throttle_without_cache", error=str(error))
            return True


def throttled(scope: str) -> Callable[[PageView], PageView]:
    """Give a page's view a limit per person: the rate `scope` of the settings, and 429 above it."""
    throttle_class = type(f"{scope.title()}Throttle", (PersonThrottle,), {"scope": scope})

    def decorate(view: PageView) -> PageView:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
            throttle = throttle_class()
            if throttle.allow_request(request, None):
                return view(request, *args, **kwargs)
            wait_s = ceil(throttle.wait() or 1)
            return JsonResponse(
                {"error": f"That is too much at a time: wait {wait_s} s, then try again."},
                status=429,
                headers={"Retry-After": str(wait_s)},
            )

        return wrapped

    return decorate
