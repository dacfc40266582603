"""The REST endpoints of alerts, below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from tcpdashboard.common.alerts.api import AlertViewSet
from tcpdashboard.common.alerts.channel_api import ChannelViewSet

router = SimpleRouter()
router.register("alerts", AlertViewSet, basename="alert")
router.register("alert-channels", ChannelViewSet, basename="alert-channel")

urlpatterns = router.urls
