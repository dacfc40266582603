"""What is answered while the database is away: 503 and a sentence, on pages and in the API."""

from __future__ import annotations

import contextlib
import sys
from http import HTTPStatus
from typing import Any, Final

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error
from django_structlog.middlewares import RequestMiddleware

from tcpdashboard.common.problems import AWAY, MEDIA_TYPE
from tcpdashboard.common.requests import API

RETRY_AFTER_S: Final = 5


class RequestLog(RequestMiddleware):
    """Logs every request, with the person's number where the database can tell it."""

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        with contextlib.suppress(DatabaseError):
            RequestMiddleware.bind_user_id(request)


def answer_failure(request: HttpRequest) -> HttpResponse:
    """Answer 503 where the database did not answer, and 500 to everything else unforeseen."""
    error = sys.exc_info()[1]
    if not isinstance(error, (OperationalError, InterfaceError)):
        return server_error(request)
    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if not request.path_info.startswith(API):
        return HttpResponse(render_to_string("503.html"), status=status, headers=headers)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": AWAY,
    }
    return JsonResponse(problem, status=status, content_type=MEDIA_TYPE, headers=headers)
