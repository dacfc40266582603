"""Whose backtests a person may see, and act on."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from backtests.models import Backtest
from tcpdashboard.common.rights import may_change


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
    if not may_act(request.user, backtest):
        raise PermissionDenied
    return backtest


def may_act(user: Any, backtest: Backtest) -> bool:
    """Return whether a person may change a backtest: its owner, and staff with the right to."""
    return backtest.owner_id == user.pk or may_change(user, Backtest)
