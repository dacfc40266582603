"""Forms of the pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Model

from marketdata.backfills import (
    BackfillRequest,
    InvalidBackfill,
    check_backfill,
    request_backfill,
)
from marketdata.loading.plans import Order
from marketdata.models import Instrument, RangeLock, to_ms
from marketdata.services import lock_range
from tcpdashboard.common.models import Job


class BackfillForm(forms.Form):
    """Which stretch of an instrument's history to load. Times are UTC."""

    exchange = forms.CharField(widget=forms.HiddenInput)
    symbol = forms.CharField(max_length=64, help_text="Such as BTC-USDT.")
    start = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}), help_text="UTC."
    )
    end = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="UTC, not included; empty: until now.",
    )
    trades = forms.BooleanField(
        required=False, help_text="Trades too, of the last three months; takes much longer."
    )
    order = forms.ChoiceField(
        choices=[(Order.NEWEST, "Newest first"), (Order.OLDEST, "Oldest first")],
        initial=Order.NEWEST,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"exchange": settings.EXCHANGE, **kwargs.get("initial", {})}
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                check_backfill(self._request())
            except InvalidBackfill as error:
                self._add_errors(error)
        return cleaned

    def save(self, owner: Model) -> Job | None:
        """Create the job of a valid form; None, with errors, when it cannot be done any more."""
        try:
            return request_backfill(self._request(), owner=owner)
        except InvalidBackfill as error:
            self._add_errors(error)
            return None

    def _request(self) -> BackfillRequest:
        given = self.cleaned_data
        return BackfillRequest(
            exchange=given["exchange"],
            symbol=given["symbol"],
            start_ms=to_ms(given["start"]),
            end_ms=None if given["end"] is None else to_ms(given["end"]),
            trades=given["trades"],
            order=Order(given["order"] or Order.NEWEST),
        )

    def _add_errors(self, error: InvalidBackfill) -> None:
        for field, reason in error.errors.items():
            self.add_error(field, reason)


class LockForm(forms.Form):
    """Which stretch of an instrument's candles must stay as it is. Times are UTC."""

    exchange = forms.CharField(widget=forms.HiddenInput)
    symbol = forms.CharField(max_length=64, help_text="Such as BTC-USDT.")
    start = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}), help_text="UTC."
    )
    end = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}), help_text="UTC, not included."
    )
    reason = forms.CharField(
        max_length=500, help_text="Why it must stay: others will read it here."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        if cleaned["end"] <= cleaned["start"]:
            self.add_error("end", "expected a time after start")
        try:
            cleaned["instrument"] = Instrument.objects.named(cleaned["exchange"], cleaned["symbol"])
        except Instrument.DoesNotExist as error:
            self.add_error("symbol", str(error))
        return cleaned

    def save(self, made_by: Model) -> RangeLock:
        """Store the lock of a valid form."""
        given = self.cleaned_data
        lock = RangeLock(
            instrument=given["instrument"],
            start=given["start"],
            end=given["end"],
            reason=given["reason"],
        )
        lock_range(lock, made_by)
        return lock
