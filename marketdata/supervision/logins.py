"""Says which collectors' credentials the exchange refuses."""

from __future__ import annotations

from typing import Final

from marketdata.models import Collector
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

LOGIN_REFUSED: Final = "login_refused"


def sweep_logins(exchange: str) -> None:
    """Raise an alert for each credential that the exchange refuses; end it once it is taken."""
    wanted = Collector.objects.filter(exchange=exchange, desired=Collector.Desired.RUNNING)
    told = {row.name: str((row.counters or {}).get("login_refused") or "") for row in wanted}
    refused = {name: reason for name, reason in told.items() if reason}
    known = set(
        Alert.objects.open()
        .filter(kind=LOGIN_REFUSED, details__exchange=exchange)
        .values_list("subject", flat=True)
    )
    for name in known - refused.keys():
        end_alert(LOGIN_REFUSED, name)
    for name in refused.keys() - known:
        raise_alert(
            LOGIN_REFUSED,
            name,
            f"{exchange} does not take the credential of collector {name}: {refused[name]}. "
            "Balances are not kept; trades are collected all the same. It is tried again every "
            "hour, and at once when the collector is restarted with another credential.",
            details={"exchange": exchange},
        )
