"""The one shape of every REST error: RFC 9457, saying what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

MEDIA_TYPE: Final = "application/problem+json"
AWAY: Final = "The database does not answer. Nothing is lost: try again in a few seconds."

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An error, in the shape of RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Always about:blank; the status is the kind."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do about it."},
        "errors": {
            "type": "object",
            "description": "Messages by parameter.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}


class Away(exceptions.APIException):
    """The database does not answer."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = AWAY
    wait = 5


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
        content_type=MEDIA_TYPE,
    )


def _known(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(*error.args)
    if isinstance(error, (OperationalError, InterfaceError)):
        return Away()
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
