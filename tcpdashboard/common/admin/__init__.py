"""What every app shares, in Django's admin."""

from tcpdashboard.common.admin import jobs

__all__ = ["jobs"]
