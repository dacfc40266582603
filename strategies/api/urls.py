"""The REST endpoints of strategies, below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from strategies.api.configs import ConfigViewSet
from strategies.api.strategies import StrategyViewSet

router = SimpleRouter()
router.register("strategies", StrategyViewSet, basename="strategy")
router.register("strategy-configs", ConfigViewSet, basename="strategy-config")

urlpatterns = router.urls
