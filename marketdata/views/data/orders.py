"""What a person may order on the Data page by a form: locks, decisions, backfills.

Repairs and the orders to jobs go to the REST API.
"""

from __future__ import annotations

from typing import Final, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from marketdata import services
from marketdata.forms import BackfillForm, LockForm
from marketdata.models import CandleConflict, Instrument, RangeLock
from marketdata.views.data.page import show_page
from tcpdashboard.common.rights import may_change

_DECISIONS: Final = {
    "ours": (services.keep_ours, "Our candle stays."),
    "theirs": (services.take_theirs, "Their candle took the place of ours."),
}


@require_POST
def start_backfill(request: HttpRequest) -> HttpResponse:
    """Create the job of a backfill, or show the form again with what is wrong."""
    _allow(request, Instrument)
    form = BackfillForm(request.POST)
    job = form.save(cast("User", request.user)) if form.is_valid() else None
    if job is None:
        return show_page(request, backfill=form)
    messages.success(request, f"Loading {job.title}. It goes on when you leave this page.")
    return _back(job.parameters["exchange"], "backfills")


@require_POST
def add_lock(request: HttpRequest) -> HttpResponse:
    """Lock a range against any change, or show the form again with what is wrong."""
    _allow(request, RangeLock)
    form = LockForm(request.POST)
    if not form.is_valid():
        return show_page(request, lock=form)
    lock = form.save(cast("User", request.user))
    messages.success(request, f"{lock} stays as it is until the lock is removed.")
    return _back(lock.instrument.exchange, "locks")


@require_POST
def remove_lock(request: HttpRequest, pk: int) -> HttpResponse:
    """End a lock; what it refused may be written from now on."""
    _allow(request, RangeLock)
    lock = get_object_or_404(RangeLock.objects.select_related("instrument"), pk=pk)
    lock.delete()
    messages.success(request, f"The lock on {lock} is removed.")
    return _back(lock.instrument.exchange, "locks")


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep our candle of a minute, or take theirs."""
    _allow(request, CandleConflict)
    conflict = get_object_or_404(CandleConflict.objects.select_related("instrument"), pk=pk)
    order, told = _DECISIONS.get(request.POST.get("choice", ""), (None, ""))
    if order is None:
        messages.error(request, "Choose ours or theirs.")
    else:
        try:
            order(conflict, request.user.get_username())
            messages.success(request, f"{conflict}: {told}")
        except services.Refused as refused:
            messages.error(request, str(refused))
    return _back(conflict.instrument.exchange, "differences")


def _allow(request: HttpRequest, model: type[Model]) -> None:
    if not may_change(request.user, model):
        raise PermissionDenied


def _back(exchange: str, section: str) -> HttpResponseRedirect:
    query = urlencode({"exchange": exchange})
    return HttpResponseRedirect(f"{reverse('data')}?{query}#{section}")
