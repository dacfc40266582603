"""What a person may do with a backtest: do it again, cancel it, delete it, say what it is."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from backtests.forms.notes import NotesForm
from backtests.requests import InvalidBacktest
from backtests.runner import request_of
from backtests.services import delete_backtest, request_backtest
from backtests.views.access import acted_on, person, seen
from tcpdashboard.common.jobs.orders import JobRefused, cancel_job


@require_POST
def run_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the same once more, over the candles and with the code as they are now."""
    backtest = seen(request, pk)
    asked, tags = request_of(backtest), tuple(backtest.tags)
    try:
        made = request_backtest(asked, person(request), tags=tags, notes=backtest.notes)
    except InvalidBacktest as error:
        messages.error(request, f"It cannot be run again: {error}.")
        return redirect("backtest", pk)
    return redirect("backtest", made.pk)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Let it not be run, or its result not be kept."""
    backtest = acted_on(request, pk)
    try:
        if backtest.job is None:
            raise JobRefused(f"It is {backtest.state}: there is nothing to cancel.")
        cancel_job(backtest.job)
    except JobRefused as refused:
        messages.error(request, str(refused))
    return redirect("backtest", pk)


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete it with its result; what runs is cancelled first."""
    backtest = acted_on(request, pk)
    delete_backtest(backtest)
    messages.success(request, f"Backtest {pk} is deleted.")
    return redirect("backtests")


@require_POST
def save_notes(request: HttpRequest, pk: int) -> HttpResponse:
    """Store tags and notes; answer what is stored, or by field what is wrong."""
    backtest = acted_on(request, pk)
    form = NotesForm(request.POST)
    if not form.is_valid():
        first = next(iter(form.errors.values()))[0]
        return JsonResponse({"error": first, "errors": form.errors}, status=400)
    form.save(backtest)
    return JsonResponse(form.cleaned_data)
