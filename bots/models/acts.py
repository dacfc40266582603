"""What happened to a bot, and what was ordered."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from bots.models.bots import Bot, BotQuerySet, BotRun

# One statement, however many bots there are: they all get the order, or none does.
_GIVE: Final = """
insert into bots_botcommand (bot_id, kind, source, asked_by_id, asked_at, why, details)
select id, %s, %s, %s, clock_timestamp(), %s, '{{}}'::jsonb from ({bots}) as bots (id)
returning bot_id, (select instrument_id from bots_bot where id = bot_id)
"""


class BotEvent(models.Model):
    """Something a person may ask about later: a change of state, a limit, an error."""

    WATCHDOG: Final = "watchdog"
    """A source."""
    UNDECIDED: Final = "undecided"
    """A kind: candles, from `first_ms` to `last_ms` (close times), that nothing was decided on."""

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="events", db_index=False)
    run = models.ForeignKey(
        BotRun, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    kind = models.CharField(max_length=24, help_text="state, edited, limit, missed, gap, error, …")
    at = models.DateTimeField(db_default=Now())
    time = models.DateTimeField(null=True, blank=True, help_text="Exchange time, where it has one.")
    before = models.CharField(max_length=8, blank=True, choices=Bot.State)
    after = models.CharField(max_length=8, blank=True, choices=Bot.State)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    source = models.CharField(
        max_length=16, help_text="person, step, watchdog, owner limit, kill switch, system."
    )
    why = models.TextField(blank=True)
    details: models.JSONField[Any, Any] = models.JSONField(
        default=dict, blank=True, help_text="The exact numbers."
    )

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("bot", "-id"), name="botevent_of_bot"),)


class BotCommandQuerySet(models.QuerySet["BotCommand"]):
    def waiting(self) -> BotCommandQuerySet:
        """Return the orders that no step has carried out yet."""
        return self.filter(applied_at=None, dropped_at=None)

    def give(
        self,
        bots: BotQuerySet,
        kind: BotCommand.Kind,
        source: BotCommand.Source,
        *,
        asked_by: Any = None,
        why: str = "",
    ) -> list[tuple[int, int]]:
        """Order something of all `bots`; return (bot id, instrument id) of each that was ordered.

        Not of those for which the same order waits already.
        """
        waits = Exists(self.waiting().filter(bot=OuterRef("pk"), kind=kind))
        wanted = bots.filter(~waits).order_by().values("pk")
        try:
            query, values = wanted.query.sql_with_params()
        except EmptyResultSet:
            return []
        asked_by_id = asked_by and asked_by.pk
        with connection.cursor() as cursor:
            cursor.execute(_GIVE.format(bots=query), [kind, source, asked_by_id, why, *values])
            return [(bot_id, instrument_id) for bot_id, instrument_id in cursor.fetchall()]


class BotCommand(models.Model):
    """An order to a bot from outside: an input of its run, and of every replay of it.

    It is given once and applied once: the step writes where in the run it took effect, between
    the halves of `minute` (`phase` is the half that was due), and the tick it was filled at.
    """

    class Kind(models.TextChoices):
        FLATTEN = "flatten"
        PAUSE = "pause"
        RESUME = "resume"
        HALT = "halt"

    class Source(models.TextChoices):
        PERSON = "person"
        OWNER_LIMIT = "owner limit"
        KILL_SWITCH = "kill switch"

    bot = models.ForeignKey(Bot, on_delete=models.CASCADE, related_name="commands", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind)
    source = models.CharField(max_length=12, choices=Source, default=Source.PERSON)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(db_default=Now())
    why = models.TextField(blank=True)
    details: models.JSONField[Any, Any] = models.JSONField(default=dict, blank=True)
    run = models.ForeignKey(
        BotRun, null=True, blank=True, on_delete=models.CASCADE, related_name="commands"
    )
    minute = models.DateTimeField(null=True, blank=True)
    phase = models.SmallIntegerField(null=True, blank=True, choices=Bot.Phase)
    tick = models.BigIntegerField(
        null=True, blank=True, help_text="The last trade's price; 0: filled at the next open."
    )
    applied_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(
        null=True, blank=True, help_text="It came when no run was left, and was never applied."
    )

    objects = BotCommandQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        indexes = (
            models.Index(fields=("bot", "id"), name="botcommand_of_bot"),
            models.Index(
                fields=("bot",),
                condition=Q(applied_at=None, dropped_at=None),
                name="botcommand_waiting",
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(applied_at=None, run=None, minute=None, phase=None, tick=None)
                | Q(
                    applied_at__isnull=False,
                    run__isnull=False,
                    minute__isnull=False,
                    phase__isnull=False,
                    tick__isnull=False,
                ),
                name="botcommand_application_whole",
            ),
        )
