"""The code every app shares."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "tcpdashboard.common"
    label = "common"
