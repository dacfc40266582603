"""The REST endpoints of market data, below /api/v1/."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from marketdata.api.backfills import BackfillViewSet
from marketdata.api.candles import CandlesView
from marketdata.api.collectors import CollectorViewSet
from marketdata.api.gaps import GapViewSet
from marketdata.api.instruments import InstrumentViewSet
from marketdata.api.integrity import IntegrityView
from marketdata.api.raw import RawMessagesView
from marketdata.api.trades import TradesView

router = SimpleRouter()
router.register("instruments", InstrumentViewSet, basename="instrument")
router.register("backfills", BackfillViewSet, basename="backfill")
router.register("gaps", GapViewSet, basename="gap")
router.register("collectors", CollectorViewSet, basename="collector")

urlpatterns = [
    path("candles/", CandlesView.as_view(), name="candles"),
    path("integrity/", IntegrityView.as_view(), name="integrity"),
    path("raw/", RawMessagesView.as_view(), name="raw"),
    path("trades/", TradesView.as_view(), name="trades"),
    *router.urls,
]
