"""Paper bots: strategies that trade live data with a virtual account."""

from django.apps import AppConfig


class BotsConfig(AppConfig):
    name = "bots"
    verbose_name = "Bots"
