"""The REST endpoints of backtests, below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from backtests.api.backtests import BacktestViewSet

router = SimpleRouter()
router.register("backtests", BacktestViewSet, basename="backtest")

urlpatterns = router.urls
