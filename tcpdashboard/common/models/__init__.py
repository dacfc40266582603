"""Rows that every app shares."""

from tcpdashboard.common.models.alerts import Alert

__all__ = ["Alert"]
