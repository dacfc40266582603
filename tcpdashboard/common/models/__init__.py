"""Rows that every app shares."""

from tcpdashboard.common.models.alerts import Alert
from tcpdashboard.common.models.channels import AlertChannel, AlertDelivery
from tcpdashboard.common.models.jobs import Job

__all__ = ["Alert", "AlertChannel", "AlertDelivery", "Job"]
