"""Requests that no view could answer are refused in one place, with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from tcpdashboard.common.problems import MEDIA_TYPE

API: Final = "/api/"
PROBES: Final = ("/health/live", "/health/ready")
REFUSAL: Final = (
    "The address or a cookie holds a NUL character (%00 in an address), "
    "which no name and no value here can contain: leave it out."
)

NextHandler = Callable[[HttpRequest], HttpResponse]


def refuse_nul(get_response: NextHandler) -> NextHandler:
    """Answer 400 to a NUL in path, query or cookies: PostgreSQL's texts cannot hold one."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return _refusal(request) if _has_nul(request) else get_response(request)

    return middleware


def forget_who_probes(get_response: NextHandler) -> NextHandler:
    """Let nobody be logged in to probes: who it is stands in the database, which may be away."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info in PROBES:
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return get_response(request)

    return middleware


def _has_nul(request: HttpRequest) -> bool:
    query = request.META.get("QUERY_STRING", "")
    return (
        "\0" in request.path_info
        or "%00" in query
        or "\0" in query
        or any("\0" in value for value in request.COOKIES.values())
    )


def _refusal(request: HttpRequest) -> HttpResponse:
    status = HTTPStatus.BAD_REQUEST
    if not request.path_info.startswith(API):
        return HttpResponse(render_to_string("400.html", {"reason": REFUSAL}), status=status)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": REFUSAL,
    }
    return JsonResponse(problem, status=status, content_type=MEDIA_TYPE)
