"""The REST endpoints of alerts, below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from tcpdashboard.common.alerts.api import AlertViewSet

router = SimpleRouter()
router.register("alerts", AlertViewSet, basename="alert")

urlpatterns = router.urls
