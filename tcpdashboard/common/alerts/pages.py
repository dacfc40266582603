"""The Alerts page."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from tcpdashboard.common.alerts.telling import alert_counts
from tcpdashboard.common.models import Alert
from tcpdashboard.common.rights import may_change

_MOST_ROWS: Final = 100
STATES: Final = {
    "open": "Open",
    "unseen": "Not acknowledged",
    "acknowledged": "Acknowledged",
    "ended": "Ended",
}


@require_safe
def alerts_page(request: HttpRequest) -> HttpResponse:
    """Show what is wrong, what was, and who has seen it."""
    return render(request, "alerts/page.html", {"section": "alerts"} | _context(request))


@require_safe
def alerts_part(request: HttpRequest) -> HttpResponse:
    """Answer the list again, as the address narrows it."""
    return render(request, "alerts/list.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    asked = request.GET.get("state", "")
    state, kind = asked if asked in STATES else "open", request.GET.get("kind", "")[:32]
    of_state = Alert.objects.visible_to(request.user) & Alert.objects.in_state(state)
    found = of_state.filter(kind=kind) if kind else of_state
    rows = list(found.select_related("acknowledged_by").order_by("-last_at")[: _MOST_ROWS + 1])
    kinds = of_state.order_by("kind").values_list("kind").annotate(number=Count("pk"))
    return {
        "alerts": rows[:_MOST_ROWS],
        "has_more": len(rows) > _MOST_ROWS,
        "state": state,
        "states": STATES,
        "kind": kind,
        "kinds": list(kinds),
        "counts": alert_counts(request.user),
        "may_acknowledge": may_change(request.user, Alert),
    }


urlpatterns = [
    path("", alerts_page, name="alerts"),
    path("list", alerts_part, name="alerts-list"),
]
