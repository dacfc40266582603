"""The Portfolio page: all live bots of a person together, and the limits over them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from bots import services
from bots.forms import LimitsForm
from bots.models import OwnerVerdict
from bots.models.portfolios import limits_of, portfolio_of
from bots.publishing import bots_topic
from marketdata.models import from_ms

_MOST_VERDICTS = 20
_MOST_RANKED = 15


@require_safe
def portfolio_page(request: HttpRequest) -> HttpResponse:
    """Show equity over time, exposure, likeness, the best and the worst, weeks and limits."""
    return _page(request)


@require_safe
def portfolio_part(request: HttpRequest) -> HttpResponse:
    """Answer the figures again."""
    return render(request, "bots/portfolio_figures.html", _figures(request))


@require_POST
def save_limits(request: HttpRequest) -> HttpResponse:
    """Store the limits, or show the form again with what is wrong."""
    form = LimitsForm(request.POST)
    if not form.is_valid() or not form.save(request.user):
        return _page(request, form)
    messages.success(request, "These limits hold over all your bots from now on.")
    return redirect(f"{reverse('portfolio')}#limits")


@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """End a verdict before its time."""
    verdict = get_object_or_404(OwnerVerdict, pk=pk, owner=cast("User", request.user))
    services.lift_verdict(verdict, cast("User", request.user))
    messages.success(request, "The limit is lifted: bots that it paused may enter again.")
    return redirect(f"{reverse('portfolio')}#limits")


def _page(request: HttpRequest, form: LimitsForm | None = None) -> HttpResponse:
    user = cast("User", request.user)
    limits = limits_of(user)
    verdicts = OwnerVerdict.objects.filter(owner=user).select_related("lifted_by")
    context = {
        "section": "portfolio",
        "topic": bots_topic(user.pk),
        "form": form or LimitsForm(initial=LimitsForm.initial_of(limits)),
        "too_many": services.too_many(limits),
        "verdicts": verdicts[:_MOST_VERDICTS],
        **_figures(request),
    }
    return render(request, "bots/portfolio.html", context)


def _figures(request: HttpRequest) -> dict[str, Any]:
    found = portfolio_of(request.user, request.GET.get("quote"))
    names = found["correlation"]["names"]
    matrix = [
        (name, [_alike(value) for value in row])
        for name, row in zip(names, found["correlation"]["matrix"], strict=False)
    ]
    weeks = [week | {"day": from_ms(week["start_ms"]).date()} for week in found["weeks"]]
    shown = {"weeks": weeks, "ranking": _ends(found["ranking"])}
    return {"portfolio": found | shown, "matrix": matrix, "names": names}


def _ends(ranking: list[Any]) -> list[Any]:
    """Return the best and the worst, or all where these are all."""
    if len(ranking) <= 2 * _MOST_RANKED:
        return ranking
    return [*ranking[:_MOST_RANKED], *ranking[-_MOST_RANKED:]]


def _alike(value: float | None) -> dict[str, Any]:
    """Return a correlation with the step of colour it has, -5 to 5."""
    return {"value": value, "step": "" if value is None else round(value * 5)}
