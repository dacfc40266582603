"""What every app shares, in Django's admin."""

from tcpdashboard.common.admin import alerts, channels, jobs

__all__ = ["alerts", "channels", "jobs"]
