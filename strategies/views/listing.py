"""The list of strategies with what they say of themselves, and their configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from strategies.catalogue import describe_strategy, keys, own_keys
from strategies.domain.errors import StrategyFailed, UnknownStrategy
from strategies.domain.params import Choice, Flag, Parameter
from strategies.domain.registry import STRATEGIES
from strategies.models import StrategyConfig
from strategies.sandbox.own import Description
from strategies.services import CHECK
from tcpdashboard.common.models import Job


@dataclass(frozen=True, slots=True)
class Row:
    """A strategy as it is shown; `error` says why an own one cannot be used."""

    key: str
    is_own: bool
    described: Description | None
    error: str
    configs: list[dict[str, Any]]

    @property
    def paragraphs(self) -> list[str]:
        """What it says of itself, its lines joined."""
        text = self.described.help if self.described else ""
        return [" ".join(part.split()) for part in text.split("\n\n")]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """The parameters with their limits in words."""
        found = self.described.parameters if self.described else ()
        return [{"parameter": each, "limits": limits_of(each)} for each in found]


@require_safe
def strategies_page(request: HttpRequest) -> HttpResponse:
    """Show the built-in strategies; people's own are fetched, as asking them takes a moment."""
    rows = _rows(request, list(STRATEGIES))
    context = {"section": "strategies", "rows": rows, "has_own": bool(own_keys())}
    return render(request, "strategies/list.html", context)


@require_safe
def own_part(request: HttpRequest) -> HttpResponse:
    """Answer people's own strategies."""
    return render(request, "strategies/rows.html", {"rows": _rows(request, list(own_keys()))})


@require_safe
def strategy_part(request: HttpRequest) -> HttpResponse:
    """Answer the configurations of one strategy."""
    key = request.GET.get("key", "")
    if key not in keys():
        raise Http404(f"there is no strategy {key!r}")
    configs = _configs(request).get(key, [])
    return render(request, "strategies/configs.html", {"key": key, "configs": configs})


def limits_of(parameter: Parameter) -> str:
    """Return what a parameter may be, in words."""
    if isinstance(parameter, Choice):
        return " or ".join(parameter.choices)
    if isinstance(parameter, Flag):
        return "yes or no"
    return f"{parameter.min:g} to {parameter.max:g}"


def _rows(request: HttpRequest, names: list[str]) -> list[Row]:
    configs = _configs(request)
    return [_row(key, configs.get(key, [])) for key in names]


def _row(key: str, configs: list[dict[str, Any]]) -> Row:
    is_own = key not in STRATEGIES
    try:
        return Row(key, is_own, describe_strategy(key), "", configs)
    except (StrategyFailed, UnknownStrategy) as error:
        return Row(key, is_own, None, str(error), configs)


def _configs(request: HttpRequest) -> dict[str, list[dict[str, Any]]]:
    """Return the configurations a person may see by strategy, each with the check under way."""
    found = StrategyConfig.objects.visible_to(request.user).newest().select_related("owner")
    checks = {
        job.parameters.get("config"): job
        for job in Job.objects.visible_to(request.user)
        .filter(kind=CHECK.name)
        .active()
        .order_by("pk")
    }
    rows: dict[str, list[dict[str, Any]]] = {}
    for config in found.order_by("name"):
        told = {
            "config": config,
            "check": checks.get(config.pk),
            "is_mine": config.owner_id == request.user.pk,
        }
        rows.setdefault(config.strategy, []).append(told)
    return rows
