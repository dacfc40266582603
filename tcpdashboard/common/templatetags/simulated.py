"""The note that data is simulated."""

from __future__ import annotations

from django import template
from django.conf import settings

from tcpdashboard.common.simulated import is_simulated

register = template.Library()


@register.inclusion_tag("includes/simulated.html")
def simulated_note(*exchanges: object) -> dict[str, bool]:
    """Say that data is simulated where this installation's, or that of `exchanges`, is.

    It needs no request and no database, so that the pages of errors carry it too. A name that is
    not there counts as none.
    """
    names = {str(name) for name in (settings.EXCHANGE, *exchanges) if name}
    return {"is_simulated": any(map(is_simulated, names))}
