"""The System page: collectors, queues, workers, database, Redis and disk, for staff."""

from __future__ import annotations

import time
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketdata import tasks
from marketdata.supervision.vitals import FRESH_MS, last_told, vitals
from tcpdashboard.common.hints import hint


@require_safe
def system_page(request: HttpRequest) -> HttpResponse:
    """Show how everything is; the rule of `/health/status` for people: staff only."""
    if not request.user.is_staff:
        raise PermissionDenied
    health = _newest()
    # Beat asks every few seconds, and only once the page follows.
    hint(tasks.tell_vitals, True)
    return render(request, "system.html", {"section": "system", "health": health})


def _newest() -> dict[str, Any]:
    told = last_told()
    now_ms = time.time_ns() // 1_000_000
    if told is not None and now_ms - told.get("at_ms", 0) <= FRESH_MS:
        return told
    return vitals(told, workers=False)
