"""Asking for a backtest: the form, and the parts of it that follow what is chosen."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from backtests.forms.asking import first_values, initial_of, instruments
from backtests.forms.backtest import BacktestForm
from backtests.models import Backtest, Search, Trial
from backtests.views.access import person, seen
from backtests.views.coverage import coverage_of
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import Instrument, from_ms
from marketdata.views.windows import stored_stretch
from strategies.models import StrategyConfig

_FIRST_DAYS: Final = 90


@require_http_methods(["GET", "HEAD", "POST"])
def new_backtest(request: HttpRequest) -> HttpResponse:
    """Show the form, or ask for what it says; a form that is refused keeps what was typed."""
    if request.method != "POST":
        return _page(request, BacktestForm(person(request), initial=asked_initially(request)))
    form = BacktestForm(person(request), request.POST)
    backtest = form.save() if form.is_valid() else None
    if backtest is None:
        return _page(request, form)
    return redirect("backtest", backtest.pk)


@require_safe
def parameters_part(request: HttpRequest) -> HttpResponse:
    """Answer the fields of a strategy's parameters, with the values of a configuration if named."""
    form = BacktestForm(person(request), initial=asked_initially(request))
    return render(request, "backtests/parameters.html", {"form": form})


@require_safe
def coverage_part(request: HttpRequest) -> HttpResponse:
    """Answer what is stored of an instrument, and of a range of it."""
    return render(request, "backtests/coverage.html", {"coverage": coverage_of(request.GET)})


def _page(request: HttpRequest, form: BacktestForm) -> HttpResponse:
    context = {
        "section": "backtests",
        "form": form,
        "coverage": coverage_of(
            {name: str(form[name].value() or "") for name in ("instrument", "start", "end")}
        ),
    }
    return render(request, "backtests/new.html", context)


def asked_initially(request: HttpRequest) -> dict[str, Any]:
    """Return what a form begins with: what another asked for, a configuration, or a good guess."""
    if number := _named(request, "from"):
        return initial_of(seen(request, number))
    if number := _named(request, "trial"):
        searches = Search.objects.visible_to(request.user)
        rows = Trial.objects.filter(search__in=searches).select_related("search__instrument")
        trial = get_object_or_404(rows, pk=number)
        return initial_of(trial.search, trial.parameters)
    given = {**first_values(), **_last_range(request)}
    config = _config(request)
    if config is not None:
        given |= {
            "strategy": config.strategy,
            "config": config.pk,
            "timeframe": config.timeframe,
            "parameters": config.params,
        }
    elif "strategy" in request.GET:
        given["strategy"] = request.GET["strategy"]
    return given


def _named(request: HttpRequest, name: str) -> int | None:
    """Return the number that the address gives by `name`; None for anything else."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _config(request: HttpRequest) -> StrategyConfig | None:
    number = _named(request, "config")
    rows = StrategyConfig.objects.visible_to(request.user)
    return None if number is None else rows.filter(pk=number).first()


def _last_range(request: HttpRequest) -> dict[str, Any]:
    """Return the instrument of the person's last backtest, and the newest days stored of it."""
    last = Backtest.objects.filter(owner=person(request)).select_related("instrument").first()
    instrument: Instrument | None = last.instrument if last else next(iter(instruments()), None)
    stretch = stored_stretch(instrument, Timeframe.M1) if instrument else None
    told = {"timeframe": last.timeframe if last else Timeframe.H1.value}
    if stretch is None:
        return told
    end_ms = stretch[1] - stretch[1] % MINUTE_MS
    start_ms = max(stretch[0], end_ms - _FIRST_DAYS * DAY_MS)
    start_ms = min(-(-start_ms // DAY_MS) * DAY_MS, end_ms - MINUTE_MS)
    if start_ms < stretch[0]:
        start_ms = stretch[0]
    return told | {
        "instrument": str(instrument),
        "start": from_ms(start_ms),
        "end": from_ms(end_ms),
    }
