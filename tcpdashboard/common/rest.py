"""What every REST endpoint shares: JSON by orjson, one shape of error, a limit per person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404
from redis import RedisError
from rest_framework import exceptions, renderers, serializers, throttling
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

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


class PersonThrottle(throttling.UserRateThrottle):
    """A limit per person. A cache that is down lets requests pass: data matters more."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            log.warning("throttle_without_cache", error=str(error))
            return True


class ProblemSerializer(serializers.Serializer[Any]):
    """An error, in the shape of RFC 9457."""

    type = serializers.CharField(help_text="Always about:blank: the status says the kind.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong and what to do about it.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Messages by parameter.",
    )


def problem(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer any refusal as application/problem+json; None for a defect, which is a 500."""
    known = _known(error)
    if known is None:
        return None
    set_rollback()
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(known.status_code).phrase,
        "status": known.status_code,
        **_explained(known.detail),
    }
    return Response(
        body,
        status=known.status_code,
        headers=_headers(known),
        content_type="application/problem+json",
    )


def _known(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(*error.args)
    return exceptions.PermissionDenied(*error.args) if isinstance(error, PermissionDenied) else None


def _headers(error: exceptions.APIException) -> dict[str, str]:
    wait = getattr(error, "wait", None)
    return {"Retry-After": f"{wait:.0f}"} if wait else {}


def _explained(detail: Any) -> dict[str, Any]:
    if isinstance(detail, str):
        return {"detail": detail}
    errors = dict(_flattened(detail))
    lines = [f"{name}: {' '.join(texts)}" for name, texts in errors.items()]
    return {"detail": "; ".join(lines), "errors": errors}


def _flattened(detail: Any, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flattened(inner, f"{prefix}.{name}" if prefix else str(name))
    else:
        texts = detail if isinstance(detail, list) else [detail]
        yield prefix or "request", [str(text) for text in texts]
