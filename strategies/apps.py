"""Strategies: what to hold after each candle, their configurations and their proofs."""

from django.apps import AppConfig


class StrategiesConfig(AppConfig):
    name = "strategies"
    verbose_name = "Strategies"

    def ready(self) -> None:
        from strategies.services import CHECK
        from tcpdashboard.common.jobs.kinds import KINDS

        KINDS.register(CHECK)
