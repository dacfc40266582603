"""The pages of bots."""

from __future__ import annotations

from django.urls import path

from bots.views import listing, new, page, portfolio, price

urlpatterns = [
    path("bots/", listing.bots_page, name="bots"),
    path("bots/list", listing.bots_part, name="bots-list"),
    path("bots/new/", new.new_bot, name="bot-new"),
    path("bots/new/facts", new.facts_part, name="bot-facts"),
    path("bots/new/backtest", new.rehearse, name="bot-rehearse"),
    path("bots/layers/", price.layer_list, name="bot-layers"),
    path("bots/layers/<int:pk>/", price.layer, name="bot-layer"),
    path("bots/<int:pk>/", page.bot_page, name="bot"),
    path("bots/<int:pk>/state", page.state_part, name="bot-state"),
    path("bots/<int:pk>/records", page.records_part, name="bot-records"),
    path("bots/<int:pk>/notes", page.save_notes, name="bot-notes"),
    path("bots/<int:pk>/edit/", new.edit_bot, name="bot-edit"),
    path("portfolio/", portfolio.portfolio_page, name="portfolio"),
    path("portfolio/figures", portfolio.portfolio_part, name="portfolio-figures"),
    path("portfolio/limits", portfolio.save_limits, name="portfolio-limits"),
    path("portfolio/verdicts/<int:pk>/lift", portfolio.lift, name="portfolio-lift"),
]
