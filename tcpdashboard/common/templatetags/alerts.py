"""The bell in the head of every page."""

from __future__ import annotations

from django import template
from django.template import Context

from tcpdashboard.common.alerts.telling import alert_counts

register = template.Library()


@register.inclusion_tag("includes/bell.html", takes_context=True)
def alert_bell(context: Context) -> dict[str, int]:
    """Link to the alerts with the number of those that nobody has acknowledged."""
    return alert_counts(getattr(context.get("request"), "user", None))
