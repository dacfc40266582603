"""What is traded."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from marketdata.domain.records import InstrumentSpec


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def named(self, exchange: str, symbol: str) -> Instrument:
        """Return the instrument, or raise Instrument.DoesNotExist naming what was asked."""
        try:
            return self.get(exchange=exchange, symbol=symbol)
        except self.model.DoesNotExist:
            raise self.model.DoesNotExist(
                f"no instrument {symbol!r} is known on {exchange!r}"
            ) from None

    def enabled(self) -> InstrumentQuerySet:
        return self.filter(is_enabled=True)


class Instrument(models.Model):
    """Something that is traded on one exchange."""

    class Kind(models.TextChoices):
        SPOT = "spot"
        SWAP = "swap"

    exchange = models.CharField(max_length=32)
    symbol = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind)
    base = models.CharField(max_length=16)
    quote = models.CharField(max_length=16)
    tick_size = models.DecimalField(max_digits=28, decimal_places=16)
    lot_size = models.DecimalField(max_digits=28, decimal_places=16)
    min_size = models.DecimalField(max_digits=28, decimal_places=16)
    contract_value = models.DecimalField(
        max_digits=28,
        decimal_places=16,
        default=Decimal(1),
        help_text="Base currency in one unit of size: 1 for spot.",
    )
    state = models.CharField(max_length=16, default="live")
    listed_at = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(
        default=False, help_text="Collected live, with its history loaded."
    )
    collector = models.ForeignKey(
        "Collector", null=True, blank=True, on_delete=models.SET_NULL, related_name="instruments"
    )
    history_loaded_at = models.DateTimeField(null=True, blank=True)
    id_rule_suspended_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since then missing trade ids are no gaps: the exchange leaves ids out.",
    )
    id_holes_unfound = models.PositiveIntegerField(
        default=0, help_text="Id gaps in a row of which the exchange has no trade."
    )

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ("exchange", "symbol")
        constraints = (
            models.UniqueConstraint(fields=("exchange", "symbol"), name="instrument_unique"),
            models.CheckConstraint(
                condition=models.Q(tick_size__gt=0, lot_size__gt=0, contract_value__gt=0),
                name="instrument_sizes_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def spec(self) -> InstrumentSpec:
        """What the domain's arithmetic needs of this row."""
        return InstrumentSpec(
            symbol=self.symbol,
            tick_size=Decimal(self.tick_size).normalize(),
            lot_size=Decimal(self.lot_size).normalize(),
            contract_value=Decimal(self.contract_value).normalize(),
            has_id_rule=self.id_rule_suspended_at is None,
        )
