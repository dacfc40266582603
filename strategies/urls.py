"""The pages of strategies."""

from __future__ import annotations

from django.urls import path

from strategies.views import configs, listing

urlpatterns = [
    path("strategies/", listing.strategies_page, name="strategies"),
    path("strategies/own", listing.own_part, name="strategies-own"),
    path("strategies/of", listing.strategy_part, name="strategies-of"),
    path("strategies/configs/new/", configs.new_config, name="config-new"),
    path("strategies/configs/<int:pk>/", configs.edit_config, name="config"),
    path("strategies/configs/<int:pk>/delete", configs.delete, name="config-delete"),
]
