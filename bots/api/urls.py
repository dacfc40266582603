"""The REST endpoints of bots, below /api/v1/."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from bots.api.bots import BotViewSet
from bots.api.portfolio import LimitsView, PortfolioView, VerdictViewSet

router = SimpleRouter()
router.register("bots", BotViewSet, basename="bot")
router.register("bot-verdicts", VerdictViewSet, basename="bot-verdict")

urlpatterns = [
    path("portfolio/", PortfolioView.as_view(), name="portfolio"),
    path("bot-limits/", LimitsView.as_view(), name="bot-limits"),
    *router.urls,
]
