"""The REST endpoints of backtests, below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from backtests.api.backtests import BacktestViewSet
from backtests.api.searches import SearchViewSet

router = SimpleRouter()
router.register("backtests", BacktestViewSet, basename="backtest")
router.register("searches", SearchViewSet, basename="search")

urlpatterns = router.urls
