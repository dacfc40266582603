"""The map of URLs."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from tcpdashboard.common.attempts import AdminLoginForm
from tcpdashboard.views import LoginPage

admin.site.login_form = AdminLoginForm
admin.site.site_header = admin.site.site_title = "TCPDashboard administration"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginPage.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("api/", include("tcpdashboard.api")),
    path("health/", include("tcpdashboard.health")),
    path("alerts/", include("tcpdashboard.common.alerts.pages")),
    path("", include("marketdata.urls")),
    path("", include("strategies.urls")),
    path("", include("backtests.urls")),
    path("", include("bots.urls")),
]

handler500 = "tcpdashboard.common.outages.answer_failure"
