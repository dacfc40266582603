"""What a bot is, where it stands, and the runs it is made of."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from bots.models.fields import TIMEFRAMES
from marketdata.models import Instrument
from strategies.models import StrategyConfig


class BotQuerySet(models.QuerySet["Bot"]):
    def visible_to(self, user: Any) -> BotQuerySet:
        """Return a person's own bots; staff see all."""
        return self.all() if user.is_staff else self.filter(owner=user)

    def alive(self) -> BotQuerySet:
        """Return the bots whose cursor moves."""
        return self.filter(state__in=Bot.ALIVE)


class Bot(models.Model):
    """A strategy with an account. Its row, not anybody's memory, is where it stands.

    Everything the step needs to go on is here: the cursor (minute and half), the kernel's record
    and the run whose settings hold. The cursor moves in the transaction of its effects.
    """

    class Desired(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"
        STOPPED = "stopped"

    class State(models.TextChoices):
        CREATED = "created"
        STARTING = "starting"
        RUNNING = "running"
        PAUSED = "paused"
        HALTED = "halted"
        STOPPING = "stopping"
        STOPPED = "stopped"
        ERROR = "error"

    ALIVE = (State.STARTING, State.RUNNING, State.PAUSED, State.STOPPING)

    class Drive(models.TextChoices):
        LIVE = "live"
        STORED = "stored", "stored candles at a set pace"

    class Phase(models.IntegerChoices):
        OPENING = 0
        CLOSE = 1

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bots"
    )
    name = models.CharField(max_length=64)
    notes = models.TextField(blank=True)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="bots")
    timeframe = models.CharField(max_length=4, choices=TIMEFRAMES)
    config = models.ForeignKey(
        StrategyConfig,
        on_delete=models.PROTECT,
        related_name="bots",
        help_text="The version of the parameter set it decides by.",
    )
    trading: models.JSONField[Any, Any] = models.JSONField(
        default=dict, help_text="Initial balance, costs, sizing, stops and limits."
    )
    max_entry_age_s = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Seconds after its close that a decision may still enter; empty: one timeframe.",
    )
    version = models.PositiveIntegerField(default=1, help_text="Raised by every edit.")
    drive = models.CharField(max_length=8, choices=Drive, default=Drive.LIVE)
    drive_from = models.DateTimeField(
        null=True, blank=True, help_text="With stored candles: the first minute it trades."
    )
    drive_speed = models.FloatField(
        default=1.0, help_text="With stored candles: minutes of theirs in one of the wall clock."
    )

    desired = models.CharField(max_length=8, choices=Desired, default=Desired.STOPPED)
    state = models.CharField(max_length=8, choices=State, default=State.CREATED)
    run = models.ForeignKey(
        "BotRun",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The newest; the open one while the bot is alive.",
    )
    cursor = models.DateTimeField(
        null=True, blank=True, help_text="Open time of the minute that is done next."
    )
    phase = models.SmallIntegerField(choices=Phase, default=Phase.OPENING)
    kernel = models.BinaryField(
        null=True, blank=True, help_text="The record of the execution kernel after the last half."
    )
    heartbeat_at = models.DateTimeField(
        null=True, blank=True, help_text="When its cursor last moved, by the wall clock."
    )
    trouble = models.CharField(
        max_length=16,
        blank=True,
        help_text="feed_stale, worker_dead, strategy_error or data_gap; empty: none.",
    )
    restarts = models.PositiveSmallIntegerField(
        default=0, help_text="By the watchdog, since it last went well."
    )
    restart_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    last_traceback = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = BotQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        indexes = (
            models.Index(
                # Without the cursor: its updates then touch no index.
                fields=("instrument", "id"),
                condition=Q(state__in=("starting", "running", "paused", "stopping")),
                name="bot_to_step",
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("owner", "name"), condition=Q(deleted_at=None), name="bot_name_unique"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("running", "paused", "stopping"))
                | Q(run__isnull=False, cursor__isnull=False, kernel__isnull=False),
                name="bot_alive_whole",
            ),
            models.CheckConstraint(
                condition=Q(drive="live") | Q(drive_from__isnull=False, drive_speed__gt=0),
                name="bot_drive_whole",
            ),
        )

    def __str__(self) -> str:
        return self.name


class BotRun(models.Model):
    """A stretch in which one bot decided and traded by one set of rules. Never changed, only ended.

    With the candles it saw, everything that a replay needs: an edit or an upgrade closes a run at
    a candle's edge and opens the next, which begins with the account the last one left.
    """

    class End(models.TextChoices):
        STOPPED = "stopped"
        HALTED = "halted"
        EDITED = "edited"
        UPGRADED = "upgraded"
        ERROR = "error"

    bot = models.ForeignKey(Bot, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveIntegerField()
    version = models.PositiveIntegerField(help_text="Of the bot's settings.")
    config = models.ForeignKey(StrategyConfig, on_delete=models.PROTECT, related_name="+")
    strategy = models.CharField(max_length=128)
    params: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    source_hash = models.CharField(max_length=64, help_text="Of the strategy's code.")
    source = models.TextField(help_text="The strategy's code.")
    engine_version = models.PositiveIntegerField(help_text="Of the execution kernel.")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    timeframe = models.CharField(max_length=4, choices=TIMEFRAMES)
    trading: models.JSONField[Any, Any] = models.JSONField(default=dict)
    units: models.JSONField[Any, Any] = models.JSONField(
        default=dict, help_text="What a tick, a lot and a cash unit are."
    )
    min_size = models.DecimalField(
        max_digits=28,
        decimal_places=16,
        help_text="The smallest order at its start, in the unit of sizes.",
    )
    max_entry_age_ms = models.BigIntegerField()
    anchor = models.DateTimeField(
        help_text="Open time of the first candle that its signals are computed from."
    )
    start = models.DateTimeField(help_text="Open time of the first minute that it traded.")
    end = models.DateTimeField(
        null=True, blank=True, help_text="Open time of the first minute that it did not do whole."
    )
    end_phase = models.SmallIntegerField(
        choices=Bot.Phase, default=Bot.Phase.OPENING, help_text="The half of it that was due then."
    )
    first_kernel = models.BinaryField(help_text="The record of the execution kernel at its start.")
    last_kernel = models.BinaryField(
        null=True, blank=True, help_text="The record at its end: what every replay must end with."
    )
    candles_seen: models.JSONField[Any, Any] = models.JSONField(
        default=list,
        blank=True,
        help_text="At its end: the minutes since its anchor that its candles were not made of in "
        "their first revision, [first open time in ms, minutes, revision]; -1: missing.",
    )
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=8, choices=End, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("bot", "number"), name="botrun_number_unique"),
            models.UniqueConstraint(fields=("bot",), condition=Q(end=None), name="botrun_one_open"),
            models.CheckConstraint(
                condition=Q(end=None, ended_at=None, end_reason="", last_kernel=None)
                | (
                    Q(end__gte=F("start"), ended_at__isnull=False, last_kernel__isnull=False)
                    & ~Q(end_reason="")
                ),
                name="botrun_end_whole",
            ),
            models.CheckConstraint(condition=Q(anchor__lte=F("start")), name="botrun_anchored"),
        )

    def __str__(self) -> str:
        return f"run {self.number} of bot {self.bot_id}"


class SeenMinute(models.Model):
    """A minute that a run saw otherwise than as its first revision: what a replay must know."""

    LEFT_OUT = -1
    OPENED = -2

    pk = models.CompositePrimaryKey("run", "open_time")
    run = models.ForeignKey(BotRun, on_delete=models.CASCADE, related_name="seen", db_index=False)
    open_time = models.DateTimeField()
    revision = models.IntegerField(
        help_text="-1: it was not there, and waited for in vain; -2: its first trade was there."
    )


class GroupState(models.Model):
    """Where one strategy with one set of parameters stands on one instrument, for all its bots.

    `recent` holds its last decisions, [first close time in ms, last one, target, why] for equal
    ones that follow each other, so that a bot that lags finds its own.
    """

    key = models.CharField(max_length=64, unique=True, help_text="Hash of everything below.")
    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="+")
    timeframe = models.CharField(max_length=4, choices=TIMEFRAMES)
    strategy = models.CharField(max_length=128)
    params: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    source_hash = models.CharField(max_length=64)
    anchor = models.DateTimeField()
    cursor = models.DateTimeField(
        null=True, blank=True, help_text="Close time of the last candle that was decided on."
    )
    state: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    recent: models.JSONField[Any, Any] = models.JSONField(default=list, blank=True)
    seen: models.JSONField[Any, Any] = models.JSONField(
        default=list,
        blank=True,
        help_text="As of runs: the minutes it did not see in their first revision.",
    )
    used_at = models.DateTimeField(db_default=Now())
