"""What a bot decided, ordered and got."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from bots.models.bots import Bot, BotRun
from bots.models.fields import money


class Signal(models.Model):
    """A decision of the strategy that changed what it wants, with its why."""

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="signals", db_index=False)
    run = models.ForeignKey(BotRun, on_delete=models.PROTECT, related_name="signals")
    time = models.DateTimeField(help_text="Close time of the candle it was decided at.")
    before = models.IntegerField(help_text="What it wanted before, in millionths of a position.")
    target = models.IntegerField(help_text="What it wants now.")
    why: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="Values of the strategy's indicators."
    )
    price = money(help_text="The close.")
    bid = models.FloatField(null=True, blank=True, help_text="Best bid when it was decided.")
    ask = models.FloatField(null=True, blank=True)
    is_missed = models.BooleanField(
        default=False, help_text="It came too late for an entry: max_entry_age."
    )
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-time",)
        constraints = (models.UniqueConstraint(fields=("run", "time"), name="signal_once"),)
        indexes = (models.Index(fields=("bot", "-time"), name="signal_of_bot"),)


class Order(models.Model):
    """Something the kernel was asked to fill, and what became of it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        FILLED = "filled"
        CANCELLED = "cancelled"
        SKIPPED = "skipped"

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="orders", db_index=False)
    run = models.ForeignKey(BotRun, on_delete=models.PROTECT, related_name="orders")
    number = models.PositiveIntegerField(help_text="Within its run.")
    made = models.DateTimeField(help_text="When what led to it was decided.")
    reason = models.CharField(max_length=16, help_text="A name of the kernel's reasons.")
    target = models.IntegerField(help_text="Millionths of a position.")
    state = models.CharField(max_length=9, choices=State)
    outcome = models.CharField(
        max_length=16, blank=True, help_text="Why it was cancelled or skipped."
    )
    ended = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-run", "-number")
        constraints = (
            models.UniqueConstraint(fields=("run", "number"), name="order_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", ended=None) | (~Q(state="waiting") & ~Q(ended=None)),
                name="order_end_whole",
            ),
        )
        indexes = (
            models.Index(fields=("bot", "-id"), name="order_of_bot"),
            models.Index(fields=("run",), condition=Q(state="waiting"), name="order_waiting"),
        )


class Fill(models.Model):
    """A trade of the virtual account. `quantity` is negative when it sold."""

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="fills", db_index=False)
    run = models.ForeignKey(BotRun, on_delete=models.PROTECT, related_name="fills")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    number = models.PositiveIntegerField(help_text="Within its run.")
    time = models.DateTimeField(help_text="Of the opening, or the close of the minute.")
    decided = models.DateTimeField()
    reason = models.CharField(max_length=16)
    quantity = money(help_text="Units of size: base currency for spot, contracts for swaps.")
    price = money()
    fee = money(help_text="Quote currency.")
    slippage = money(help_text="Quote currency that the price was worse than the market's.")
    cash = money(help_text="After it.")
    position = money(help_text="After it.")
    realised = money(help_text="Profit of what it closed, before fees.")
    cost = money(help_text="What the position after it was bought for; below 0: sold for.")
    filled_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-time", "-pk")
        constraints = (
            models.UniqueConstraint(fields=("run", "number"), name="fill_once"),
            models.CheckConstraint(
                condition=~Q(quantity=0) & Q(price__gt=0, fee__gte=0), name="fill_possible"
            ),
        )
        indexes = (models.Index(fields=("bot", "-time"), name="fill_of_bot"),)
