"""Alerts: what a person should know, told once until it is over."""

from tcpdashboard.common.alerts.raising import (
    acknowledge,
    acknowledge_all,
    end_alert,
    raise_alert,
)

__all__ = ["acknowledge", "acknowledge_all", "end_alert", "raise_alert"]
