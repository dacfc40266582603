"""What is missing, what becomes of it, and what a person has locked against change."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from marketdata.models.instruments import Instrument


class GapState(models.TextChoices):
    """The life of a gap."""

    OPEN = "open"
    REPAIRING = "repairing"
    REPAIRED = "repaired"
    UNREPAIRABLE = "unrepairable"


GAP_TRANSITIONS: Final = {
    GapState.OPEN: {GapState.REPAIRING, GapState.REPAIRED, GapState.UNREPAIRABLE},
    # Back to open: the attempt failed, or its worker died and the lease ran out.
    GapState.REPAIRING: {GapState.OPEN, GapState.REPAIRED, GapState.UNREPAIRABLE},
    # To repairing: it is tried once more, long after. To repaired: the missing data came by
    # another way, for example an import.
    GapState.UNREPAIRABLE: {GapState.OPEN, GapState.REPAIRING, GapState.REPAIRED},
    # The scan found the same stretch missing again.
    GapState.REPAIRED: {GapState.OPEN},
}
"""To which states a gap may go from each."""

LIVE_STATES: Final = (GapState.OPEN, GapState.REPAIRING, GapState.UNREPAIRABLE)
"""While in one of these a gap says that something is missing."""


class DataGapQuerySet(models.QuerySet["DataGap"]):
    def live(self) -> DataGapQuerySet:
        """Return the gaps of which something is still missing."""
        return self.filter(state__in=LIVE_STATES).exclude(kind=DataGap.Kind.MERGED)

    def merged(self) -> DataGapQuerySet:
        """Return the gaps that wait for single matches: merged they are all there."""
        return self.filter(state__in=LIVE_STATES, kind=DataGap.Kind.MERGED)

    def move(self, state: GapState, **values: Any) -> int:
        """Bring the gaps into `state` where the table allows it; return how many moved.

        A repaired gap gets its closing time, any other loses it; a lease ends with the attempt.
        """
        allowed = [before for before, after in GAP_TRANSITIONS.items() if state in after]
        closed_at = Now() if state == GapState.REPAIRED else None
        lease = {} if state == GapState.REPAIRING else {"lease_owner": "", "lease_expires_at": None}
        moved = self.filter(state__in=allowed)
        return moved.update(state=state, closed_at=closed_at, **lease | values)


class DataGap(models.Model):
    """A stretch that is missing or was: trades by their ids, or candles by their open times.

    For trades `first_trade_id` to `last_trade_id`, both included, are missing (a first id of 0:
    it is not known where they begin), between the trades at `start` and `end`. For candles those
    that open in [start, end) are. Merged ones lack nothing but their single matches: the rows of
    several ids from `first_trade_id` to `last_trade_id` are to be split.
    """

    class Kind(models.TextChoices):
        TRADES = "trades"
        CANDLES = "candles"
        MERGED = "merged"

    State = GapState

    class Cause(models.TextChoices):
        RESTART = "restart"
        OUTAGE = "outage"
        LOSS = "loss"
        MAINTENANCE = "maintenance"
        NEVER_COLLECTED = "never_collected"
        REFUSED = "refused"

    class Filling(models.TextChoices):
        TRADES = "trades"
        CANDLES = "candles"

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="gaps")
    kind = models.CharField(max_length=8, choices=Kind)
    timeframe = models.SmallIntegerField(
        default=1, db_default=1, help_text="Length of the candles in minutes."
    )
    first_trade_id = models.BigIntegerField(null=True)
    last_trade_id = models.BigIntegerField(null=True)
    start = models.DateTimeField(
        help_text="Trades: time of the last one before the gap. Candles: first open time missing."
    )
    end = models.DateTimeField(
        help_text="Trades: time of the first one after the gap. Candles: end of the last missing."
    )
    rest_last_id = models.BigIntegerField(
        null=True, help_text="The last id still missing; empty: the gap's last one."
    )
    rest_end = models.DateTimeField(null=True, help_text="Time of the trade after that.")
    cause = models.CharField(max_length=16, choices=Cause)
    state = models.CharField(
        max_length=16, choices=State, default=State.OPEN, db_default=State.OPEN
    )
    reason = models.TextField(
        blank=True, default="", db_default="", help_text="Why it is as it is, for a person."
    )
    filled_with = models.CharField(
        max_length=8,
        choices=Filling,
        blank=True,
        default="",
        db_default="",
        help_text="Candles: the trades themselves were not to be had any more.",
    )
    given_up_at = models.DateTimeField(
        null=True, help_text="When the collector went on without it, its minutes incomplete."
    )
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    first_tried_at = models.DateTimeField(
        null=True, help_text="When the exchange was first asked for it in vain."
    )
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_owner = models.CharField(max_length=64, blank=True, default="", db_default="")
    lease_expires_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    objects = DataGapQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("instrument", "first_trade_id", "last_trade_id"),
                condition=Q(kind="trades"),
                name="gap_trades_unique",
            ),
            # Repaired ones are history: the same stretch may have been missing before.
            models.UniqueConstraint(
                fields=("instrument", "timeframe", "start"),
                condition=Q(kind="candles") & ~Q(state="repaired"),
                name="gap_candles_unique",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["trades", "merged"],
                    timeframe=1,
                    last_trade_id__gte=F("first_trade_id"),
                )
                | Q(
                    kind="candles",
                    first_trade_id=None,
                    last_trade_id=None,
                    end__gt=F("start"),
                ),
                name="gap_not_empty",
            ),
            models.CheckConstraint(condition=Q(state__in=list(GapState)), name="gap_state_known"),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(state__in=["open", "repairing", "unrepairable"]),
                name="gap_due",
            ),
            models.Index(fields=("-opened_at",), name="gap_newest"),
        )

    @property
    def ids(self) -> tuple[int, int]:
        """The first and the last id of a gap of trades; the first is 0 while it is not known."""
        if self.first_trade_id is None or self.last_trade_id is None:
            raise ValueError(f"gap {self.pk} is one of candles: it has no ids")
        return self.first_trade_id, self.last_trade_id

    def __str__(self) -> str:
        return f"{self.kind} of {self.instrument} from {self.start:%Y-%m-%d %H:%M:%S}"


class RangeLock(models.Model):
    """Candles that open in [start, end) stay as they are, whatever is fetched or imported."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="locks")
    start = models.DateTimeField()
    end = models.DateTimeField()
    reason = models.TextField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-made_at",)
        constraints = (
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="range_lock_not_empty"),
        )

    def __str__(self) -> str:
        return f"{self.instrument} from {self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


class TapeScan(models.Model):
    """How far the ids of an instrument's stored trades were looked through."""

    instrument = models.OneToOneField(
        Instrument, on_delete=models.CASCADE, primary_key=True, related_name="tape_scan"
    )
    trade_id = models.BigIntegerField(help_text="The highest id seen.")
    executed_at = models.DateTimeField(help_text="Trades before this were looked at.")
    scanned_at = models.DateTimeField(db_default=Now())


class RefusedBatch(models.Model):
    """What the database refused of one instrument's batch, kept for a person."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="+")
    error = models.TextField()
    payload: models.JSONField[Any, Any] = models.JSONField(
        help_text="Trades, openings, minutes and holes of the batch."
    )
    refused_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-refused_at",)
        verbose_name_plural = "refused batches"

    def __str__(self) -> str:
        return f"{self.instrument} at {self.refused_at:%Y-%m-%d %H:%M:%S}"
