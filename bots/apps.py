"""Paper bots: strategies that trade live data with a virtual account."""

from django.apps import AppConfig


class BotsConfig(AppConfig):
    name = "bots"
    verbose_name = "Bots"

    def ready(self) -> None:
        from bots.parity.kind import PARITY
        from bots.receivers import on_minute_closed
        from marketdata.signals import minute_closed
        from tcpdashboard.common.jobs.kinds import KINDS

        KINDS.register(PARITY)
        minute_closed.connect(on_minute_closed, dispatch_uid="bots")
