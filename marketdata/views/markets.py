"""The Markets page: instruments with their last price, their day and the state of their feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import UserPassesTestMixin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views import View
from django.views.generic import TemplateView

from marketdata import services
from marketdata.models import Instrument
from marketdata.views.feeds import Feed, feed_of, feed_settings
from marketdata.views.quotes import Quote, price_decimals, stored_quotes
from tcpdashboard.common.rights import may_change

_MOST_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page."""

    instrument: Instrument
    quote: Quote
    feed: Feed
    decimals: int


class MarketsPage(TemplateView):
    """List the instruments that are collected, or with `show=all` those that could be."""

    template_name = "marketdata/markets.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the rows, and what the page's filter was."""
        exchanges = exchanges_known()
        exchange = self.request.GET.get("exchange") or settings.EXCHANGE
        shows_all = self.request.GET.get("show") == "all"
        wanted = self.request.GET.get("q", "").strip()
        found = _instruments(exchange, wanted, shows_all)
        now = timezone.now()
        return super().get_context_data(**kwargs) | {
            "section": "markets",
            "rows": _rows(found, now),
            "feeds": feed_settings(now),
            "found": found.count(),
            "exchange": exchange,
            "exchanges": exchanges,
            "page_exchange": exchange,
            "shows_all": shows_all,
            "may_collect": may_change(self.request.user, Instrument),
            "wanted": wanted,
            "known": Instrument.objects.filter(exchange=exchange).count(),
        }


class CollectionSwitch(UserPassesTestMixin, View):
    """Switch the collection of one instrument on or off, for staff who may."""

    raise_exception = True

    def test_func(self) -> bool:
        """Allow whoever may change instruments."""
        return may_change(self.request.user, Instrument)

    def post(self, request: HttpRequest, exchange: str, symbol: str) -> HttpResponse:
        """Enable with `on=1`, disable otherwise, and say what follows."""
        try:
            instrument = Instrument.objects.named(exchange, symbol)
        except Instrument.DoesNotExist as error:
            raise Http404(str(error)) from None
        if request.POST.get("on") == "1":
            try:
                services.enable_instrument(instrument)
            except services.Refused as refused:
                messages.error(request, str(refused))
                return redirect("markets")
            messages.success(
                request,
                f"{symbol} is collected from now on; its last 30 days are being loaded.",
            )
        else:
            services.disable_instrument(instrument)
            messages.success(request, f"{symbol} is no longer collected. Its history stays.")
        return redirect("markets")


def exchanges_known() -> list[str]:
    """Return the exchanges that pages may be of: this installation's, and those stored."""
    stored = Instrument.objects.order_by("exchange").values_list("exchange", flat=True).distinct()
    return sorted({settings.EXCHANGE, *stored})


def _rows(found: QuerySet[Instrument], now: datetime) -> list[Row]:
    shown = list(found.select_related("collector")[:_MOST_ROWS])
    quotes = stored_quotes(shown)
    return [
        Row(
            instrument,
            quotes[instrument.pk],
            feed_of(instrument, now),
            price_decimals(instrument),
        )
        for instrument in shown
    ]


def _instruments(exchange: str, wanted: str, shows_all: bool) -> QuerySet[Instrument]:
    instruments = Instrument.objects.filter(exchange=exchange)
    if not shows_all:
        instruments = instruments.filter(is_enabled=True)
    if wanted:
        instruments = instruments.filter(Q(symbol__icontains=wanted) | Q(base__iexact=wanted))
    return instruments.order_by("-is_enabled", "symbol")
