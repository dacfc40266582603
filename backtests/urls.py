"""The pages of backtests."""

from __future__ import annotations

from django.urls import path

from backtests.views import compare, layers, listing, new, orders, price, result
from backtests.views.searches import dropping, page
from backtests.views.searches import listing as listed
from backtests.views.searches import new as asked

urlpatterns = [
    path("backtests/", listing.backtests_page, name="backtests"),
    path("backtests/list", listing.backtests_part, name="backtests-list"),
    path("backtests/new/", new.new_backtest, name="backtest-new"),
    path("backtests/new/parameters", new.parameters_part, name="backtest-parameters"),
    path("backtests/new/coverage", new.coverage_part, name="backtest-coverage"),
    path("backtests/compare/", compare.compare_page, name="backtest-compare"),
    path("backtests/searches/", listed.searches_page, name="searches"),
    path("backtests/searches/list", listed.searches_part, name="searches-list"),
    path("backtests/searches/new/", asked.new_search, name="search-new"),
    path("backtests/searches/new/space", asked.space_part, name="search-space"),
    path("backtests/searches/<int:pk>/", page.search_page, name="search"),
    path("backtests/searches/<int:pk>/delete", dropping.delete, name="search-delete"),
    path("backtests/searches/<int:pk>/trials", page.trials_part, name="search-trials"),
    path("backtests/searches/<int:pk>/heat", page.heat_part, name="search-heat"),
    path("backtests/layers/", layers.layer_list, name="backtest-layers"),
    path("backtests/layers/<int:pk>/", layers.layer, name="backtest-layer"),
    path("backtests/<int:pk>/", result.result_page, name="backtest"),
    path("backtests/<int:pk>/equity", result.equity, name="backtest-equity"),
    path("backtests/<int:pk>/trades", result.trades_part, name="backtest-trades"),
    path("backtests/<int:pk>/export", result.export, name="backtest-export"),
    path("backtests/<int:pk>/chart/window", price.window, name="backtest-window"),
    path("backtests/<int:pk>/again", orders.run_again, name="backtest-again"),
    path("backtests/<int:pk>/cancel", orders.cancel, name="backtest-cancel"),
    path("backtests/<int:pk>/delete", orders.delete, name="backtest-delete"),
    path("backtests/<int:pk>/notes", orders.save_notes, name="backtest-notes"),
]
