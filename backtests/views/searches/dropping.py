"""Deleting a search from its page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from backtests.models import Search
from backtests.searches import SearchRefused, delete_search
from tcpdashboard.common.rights import refuse_others


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a search with its trials; one that is at work says so and stays."""
    search = get_object_or_404(Search.objects.visible_to(request.user), pk=pk)
    refuse_others(request.user, search)
    try:
        delete_search(search)
    except SearchRefused as refused:
        messages.error(request, f"{str(refused).capitalize()}.")
        return redirect("search", pk)
    messages.success(request, f"Search {pk} is deleted.")
    return redirect("searches")
