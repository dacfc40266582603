"""The map of REST: /api/v1/, its schema and its local Swagger page."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Unknown(APIView):
    """Answers every other address below /api/ as REST, not as a page."""

    schema = None

    def get(self, request: Request) -> Response:
        raise NotFound(f"nothing is served at {request.path}; /api/v1/docs/ lists what is")

    post = put = patch = delete = get


app_name = "api"
urlpatterns = [
    path("v1/", include("marketdata.api.urls")),
    path("v1/", include("strategies.api.urls")),
    path("v1/", include("backtests.api.urls")),
    path("v1/", include("bots.api.urls")),
    path("v1/", include("tcpdashboard.common.jobs.urls")),
    path("v1/", include("tcpdashboard.common.alerts.urls")),
    path("v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    # Split: its start-up code is a file of its own, which the Content-Security-Policy asks for.
    path("v1/docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    re_path(r"", Unknown.as_view()),
]
