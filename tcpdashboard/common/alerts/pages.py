"""The Alerts page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from tcpdashboard.common.alerts.channel_pages import (
    ChannelForm,
    back_to_channels,
    channels_context,
    form_for,
    make_channel,
)
from tcpdashboard.common.alerts.channel_pages import urlpatterns as channel_urls
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
    return _page(request, form_for(request))


@require_safe
def alerts_part(request: HttpRequest) -> HttpResponse:
    """Answer the list again, as the address narrows it."""
    return render(request, "alerts/list.html", _context(request))


@require_POST
def new_channel(request: HttpRequest) -> HttpResponse:
    """Make a channel, or show what is wrong with it."""
    form = form_for(request)
    if form.is_valid() and make_channel(request, form):
        return back_to_channels()
    return _page(request, form, status=HTTPStatus.BAD_REQUEST)


def _page(request: HttpRequest, form: ChannelForm, status: int = HTTPStatus.OK) -> HttpResponse:
    context = {"section": "alerts", **_context(request), **channels_context(request, form)}
    return render(request, "alerts/page.html", context, status=status)


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
    path("channels", new_channel, name="channel-new"),
    *channel_urls,
]
