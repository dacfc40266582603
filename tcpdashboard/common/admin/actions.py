"""Actions on chosen rows: one that is refused is told and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from tcpdashboard.common.refusals import Refused

M = TypeVar("M", bound=Model)


def each(request: HttpRequest, rows: QuerySet[M], action: Callable[[M], None], told: str) -> None:
    """Do `action` to every row and tell to how many: their number, then `told`."""
    done = 0
    for row in rows:
        try:
            action(row)
        except Refused as refused:
            messages.error(request, f"{row}: {refused}")
        else:
            done += 1
    if done:
        messages.success(request, f"{done} {told}")
