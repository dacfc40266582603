"""Access to accounts of exchanges."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tcpdashboard.common.fields import EncryptedTextField


class ExchangeCredential(models.Model):
    """An API key for reading one account. The secret parts are sealed and never shown again."""

    label = models.CharField(max_length=64, unique=True)
    exchange = models.CharField(max_length=32)
    api_key = EncryptedTextField()
    secret = EncryptedTextField()
    passphrase = EncryptedTextField()
    is_demo = models.BooleanField(
        "demo", default=False, help_text="Made for the exchange's simulated trading."
    )
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text="Its balances are collected. One for each exchange."
    )
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("exchange", "label")
        constraints = (
            models.UniqueConstraint(
                fields=("exchange",),
                condition=models.Q(is_enabled=True),
                name="credential_one_enabled",
                violation_error_message="Another credential of this exchange is enabled.",
            ),
        )

    def __str__(self) -> str:
        return self.label
