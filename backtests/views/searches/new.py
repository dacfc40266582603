"""Asking for a search."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from backtests.forms.search import SearchForm
from backtests.views.access import person
from backtests.views.coverage import coverage_of
from backtests.views.new import asked_initially


@require_http_methods(["GET", "HEAD", "POST"])
def new_search(request: HttpRequest) -> HttpResponse:
    """Show the form, or ask for what it says; a form that is refused keeps what was typed."""
    if request.method != "POST":
        return _page(request, SearchForm(person(request), initial=_initial(request)))
    form = SearchForm(person(request), request.POST)
    search = form.save() if form.is_valid() else None
    if search is None:
        return _page(request, form)
    return redirect("search", search.pk)


@require_safe
def space_part(request: HttpRequest) -> HttpResponse:
    """Answer the fields of a strategy's parameters, with what may be tried of each."""
    form = SearchForm(person(request), initial=_initial(request))
    return render(request, "backtests/searches/space.html", {"form": form})


def _initial(request: HttpRequest) -> dict[str, Any]:
    return {"objective": "sharpe", "validation.share": 25, **asked_initially(request)}


def _page(request: HttpRequest, form: SearchForm) -> HttpResponse:
    names = ("instrument", "start", "end")
    context = {
        "section": "backtests",
        "form": form,
        "coverage": coverage_of({name: str(form[name].value() or "") for name in names}),
    }
    return render(request, "backtests/searches/new.html", context)
