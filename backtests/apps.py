"""Backtests: strategies over history, and what came of them."""

from django.apps import AppConfig


class BacktestsConfig(AppConfig):
    name = "backtests"
    verbose_name = "Backtests"

    def ready(self) -> None:
        from backtests.searches import SEARCH
        from backtests.services import BACKTEST
        from tcpdashboard.common.jobs.kinds import KINDS

        KINDS.register(BACKTEST)
        KINDS.register(SEARCH)
