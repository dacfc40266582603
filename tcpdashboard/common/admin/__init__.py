"""What every app shares, in Django's admin."""

from tcpdashboard.common.admin import alerts, jobs

__all__ = ["alerts", "jobs"]
