"""Whose backtests a person may see, and act on."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from backtests.models import Backtest
from tcpdashboard.common.rights import refuse_others


def person(request: HttpRequest) -> User:
    """Return who is logged in, as everybody is who gets this far."""
    return cast("User", request.user)


def seen(request: HttpRequest, pk: int) -> Backtest:
    """Return a backtest that the person may see; others' are not found. Raises Http404."""
    rows = Backtest.objects.select_related("instrument", "job", "owner")
    return get_object_or_404(rows.visible_to(request.user), pk=pk)


def acted_on(request: HttpRequest, pk: int) -> Backtest:
    """Return a backtest that the person may change. Raises Http404 and PermissionDenied."""
    backtest = seen(request, pk)
    refuse_others(request.user, backtest)
    return backtest
