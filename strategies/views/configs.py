"""Making, changing and deleting configurations by a form."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from strategies.catalogue import describe_strategy
from strategies.domain.errors import StrategyFailed, UnknownStrategy
from strategies.forms import ConfigForm
from strategies.loading import InvalidConfig
from strategies.models import StrategyConfig
from strategies.sandbox.own import Description
from strategies.services import create_config, delete_config, save_config


@require_http_methods(["GET", "HEAD", "POST"])
def new_config(request: HttpRequest) -> HttpResponse:
    """Show the form of a new configuration of `strategy`, or save what it says.

    With `from` it begins with the values of another one.
    """
    source = _source(request)
    described = _described(source.strategy if source else request.GET.get("strategy", ""))
    form = _form(request, described, source)
    draft = form.draft() if request.method == "POST" else None
    if draft is not None:
        try:
            made = create_config(cast("User", request.user), draft)
        except InvalidConfig as error:
            form.refuse(error)
        else:
            messages.success(request, f"Saved as {made}.")
            return redirect("strategies")
    return _page(request, form, described, None)


@require_http_methods(["GET", "HEAD", "POST"])
def edit_config(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of one's own configuration, or save what it says as its next version."""
    config = _own(request, pk)
    described = _described(config.strategy)
    form = _form(request, described, config)
    form.fields["name"].disabled = True
    draft = form.draft() if request.method == "POST" else None
    if draft is None:
        return _page(request, form, described, config)
    saved = save_config(config.owner, draft)
    messages.success(request, f"Saved as {saved}.")
    return redirect("strategies")


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete one's own configuration; what ran with it keeps its version."""
    config = _own(request, pk)
    delete_config(config)
    messages.success(request, f"{config.name} is deleted.")
    return redirect("strategies")


def _own(request: HttpRequest, pk: int) -> StrategyConfig:
    rows = StrategyConfig.objects.visible_to(request.user).select_related("owner")
    config = get_object_or_404(rows, pk=pk, deleted_at=None)
    if config.owner != request.user:
        raise PermissionDenied
    return config


def _source(request: HttpRequest) -> StrategyConfig | None:
    number = request.GET.get("from", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return get_object_or_404(StrategyConfig.objects.visible_to(request.user), pk=int(number))


def _described(key: str) -> Description:
    try:
        return describe_strategy(key)
    except (UnknownStrategy, StrategyFailed) as error:
        raise Http404(str(error)) from error


def _form(
    request: HttpRequest, described: Description, stored: StrategyConfig | None
) -> ConfigForm:
    return ConfigForm(
        described.key,
        described.parameters,
        request.POST if request.method == "POST" else None,
        values=stored.params if stored else None,
        initial={"name": stored.name, "timeframe": stored.timeframe} if stored else {},
    )


def _page(
    request: HttpRequest, form: ConfigForm, described: Description, config: StrategyConfig | None
) -> HttpResponse:
    context = {"section": "strategies", "form": form, "strategy": described, "config": config}
    return render(request, "strategies/config.html", context)
