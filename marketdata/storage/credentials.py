"""The one place where stored credentials are opened."""

from __future__ import annotations

from typing import Final

from marketdata.collector.ports import Credential
from marketdata.models import ExchangeCredential
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.crypto import KeyTrouble

UNREADABLE: Final = "credential unreadable"


def read_credential(exchange: str) -> Credential | None:
    """Return the enabled credential of an exchange, or None.

    One that cannot be opened is alerted and left out: trades are collected without it.
    """
    row = ExchangeCredential.objects.filter(exchange=exchange, is_enabled=True).first()
    if row is None:
        return None
    try:
        opened = Credential(
            row.api_key.reveal(), row.secret.reveal(), row.passphrase.reveal(), row.is_demo
        )
    except KeyTrouble as error:
        raise_alert(UNREADABLE, exchange, f"Balances are not collected: {error}")
        return None
    end_alert(UNREADABLE, exchange)
    return opened
