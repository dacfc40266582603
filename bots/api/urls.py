"""The REST endpoints of bots, below /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from bots.api.bots import BotViewSet
from bots.api.exports import KINDS
from bots.api.portfolio import LimitsView, PortfolioView, VerdictViewSet

router = SimpleRouter()
router.register("bots", BotViewSet, basename="bot")
router.register("bot-verdicts", VerdictViewSet, basename="bot-verdict")

# Files are called as they are: without a slash behind.
_FILE = rf"^bots/(?P<pk>\d{{1,18}})/export/(?P<kind>{'|'.join(KINDS)})\.(?P<suffix>csv|json)$"

urlpatterns = [
    re_path(_FILE, BotViewSet.as_view({"get": "export"}), name="bot-export"),
    path("portfolio/", PortfolioView.as_view(), name="portfolio"),
    path("bot-limits/", LimitsView.as_view(), name="bot-limits"),
    *router.urls,
]
