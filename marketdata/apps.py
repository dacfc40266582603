"""Market data: collection, storage, charts."""

from django.apps import AppConfig


class MarketdataConfig(AppConfig):
    name = "marketdata"
    verbose_name = "Market data"

    def ready(self) -> None:
        from marketdata.backfills import BACKFILL
        from tcpdashboard.common.jobs.kinds import KINDS

        KINDS.register(BACKFILL)
