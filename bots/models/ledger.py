"""The account: entries whose sums are the balances, and what it was worth over time."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from bots.models.bots import Bot, BotRun
from bots.models.fields import money
from bots.models.trades import Fill


class LedgerEntry(models.Model):
    """One side of a posting. The entries of a posting sum to zero in every currency.

    A posting is a deposit (the initial balance) or a fill. A trigger of the database refuses a
    posting that does not balance, and any later change.
    """

    class Account(models.TextChoices):
        CAPITAL = "capital", "what the owner put in"
        CASH = "cash"
        POSITION = "position"
        MARKET = "market", "the other side of every trade"
        FEES = "fees"

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="ledger", db_index=False)
    run = models.ForeignKey(BotRun, on_delete=models.PROTECT, related_name="+")
    fill = models.ForeignKey(
        Fill, null=True, blank=True, on_delete=models.PROTECT, related_name="entries"
    )
    posting = models.PositiveIntegerField(help_text="Rising within a bot, from 1.")
    account = models.CharField(max_length=8, choices=Account)
    currency = models.CharField(max_length=80, help_text="Quote currency, or the instrument.")
    amount = money()
    time = models.DateTimeField()
    posted_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "ledger entries"
        constraints = (
            models.UniqueConstraint(
                fields=("bot", "posting", "account", "currency"), name="ledger_once"
            ),
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_not_zero"),
        )


class BotPerformance(models.Model):
    """What an account was worth at the close of one candle of its bot; thinned with age."""

    pk = models.CompositePrimaryKey("bot", "time")
    bot = models.ForeignKey(
        Bot, on_delete=models.CASCADE, related_name="performance", db_index=False
    )
    run = models.ForeignKey(BotRun, on_delete=models.CASCADE, related_name="+", db_index=False)
    time = models.DateTimeField(help_text="Close time.")
    equity = money()
    cash = money()
    position = money()
    price = money(help_text="The close it was marked at.")
    drawdown = models.FloatField(help_text="Share below the highest equity so far.")
