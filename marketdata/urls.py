"""The pages of market data."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from marketdata.views import chart, chart_data, downloads, markets

_CHART = "chart/<str:exchange>/<str:symbol>/<str:timeframe>/"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="markets"), name="home"),
    path("markets/", markets.MarketsPage.as_view(), name="markets"),
    path(
        "markets/<str:exchange>/<str:symbol>/collection/",
        markets.CollectionSwitch.as_view(),
        name="collection-switch",
    ),
    path("chart/", chart.last_chart, name="chart-last"),
    path(_CHART, chart.chart_page, name="chart"),
    path(f"{_CHART}window", chart_data.window, name="chart-window"),
    path(f"{_CHART}figure", chart_data.figure, name="chart-figure"),
    path(f"{_CHART}export", downloads.export, name="chart-export"),
]
