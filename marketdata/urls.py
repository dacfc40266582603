"""The pages of market data."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from marketdata.views import chart, chart_data, downloads, markets, system
from marketdata.views.data import day, orders, page

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
    path("system/", system.system_page, name="system"),
    path("data/", page.data_page, name="data"),
    path("data/coverage", page.coverage_figures, name="data-coverage"),
    path("data/gaps", page.gaps_part, name="data-gaps"),
    path("data/storage", page.storage_part, name="data-storage"),
    path("data/retention", page.retention_part, name="data-retention"),
    path("data/backfills", page.backfills_part, name="data-backfills"),
    path("data/backfills/start", orders.start_backfill, name="data-backfill-start"),
    path("data/locks/add", orders.add_lock, name="data-lock-add"),
    path("data/locks/<int:pk>/remove", orders.remove_lock, name="data-lock-remove"),
    path("data/differences/<int:pk>/", orders.decide, name="data-decide"),
    path("data/day/<str:exchange>/<str:symbol>/<str:day>/", day.day_panel, name="data-day"),
]
