"""The REST endpoints of jobs, below /api/v1/."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from tcpdashboard.common.jobs.api import JobViewSet

router = SimpleRouter()
router.register("jobs", JobViewSet, basename="job")

urlpatterns = router.urls
