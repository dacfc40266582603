"""Raw messages, how long they stay, and the archives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from marketdata.admin.reading import BulkAdmin, ReadOnlyAdmin
from marketdata.models import Archive, RawRow, RetentionPolicy, from_ms
from marketdata.retention.planning import plan
from marketdata.storage.policies import policies

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[RetentionPolicy]
else:
    _ModelAdmin = admin.ModelAdmin

_SHOWN: Final = 120
_UNCOUNTED: Final = "too much to count here: manage.py retention --dry-run"


@admin.register(RawRow)
class RawAdmin(BulkAdmin):
    list_display = ("exchange_time", "channel", "exchange", "instrument", "received_at", "message")
    list_filter = ("channel", "instrument")
    time_field = "exchange_time"

    @admin.display(description="payload")
    def message(self, row: RawRow) -> str:
        text = str(row.payload)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        channel, _, rest = object_id.partition("-")
        try:
            time = from_ms(int(rest.partition("-")[0]))
        except (ValueError, OverflowError, OSError):
            return None
        # By the key's own columns first: the text key alone would be looked for in every partition.
        near = self.get_queryset(request).filter(channel=channel, exchange_time__gte=time)
        return (
            near.filter(exchange_time__lt=from_ms(int(rest.partition("-")[0]) + 1))
            .filter(pk=object_id)
            .first()
        )


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(_ModelAdmin):
    list_display = ("what", "keep_days", "archive", "in_force", "would_go")
    readonly_fields = ("what",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        going, kept = _going(), policies()
        for row in changelist.result_list:
            policy = kept[row.what]
            days = "for ever" if policy.keep_days is None else f"{policy.keep_days} days"
            row.in_force = days + (", then archived" if policy.is_archived else "")
            row.would_go = _UNCOUNTED if going is None else going.get(row.what, "nothing")
        return changelist

    @admin.display(description="in force")
    def in_force(self, row: Any) -> str:
        return str(row.in_force)

    @admin.display(description="goes with the next enforcement")
    def would_go(self, row: Any) -> str:
        return str(row.would_go)


@admin.register(Archive)
class ArchiveAdmin(ReadOnlyAdmin):
    list_display = ("name", "what", "instrument", "day", "rows", "bytes", "made_at", "dropped_at")
    list_filter = ("what",)
    search_fields = ("name",)
    list_select_related = ("instrument",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).order_by("-day", "what")


def _going() -> dict[str, str] | None:
    """Return what the next enforcement takes of each kind; None when counting takes too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("set local statement_timeout = '3s'")
            expired = [one for one in plan() if not one.kept_because]
    except OperationalError:
        return None
    totals: dict[str, tuple[int, int]] = {}
    for one in expired:
        rows, size = totals.get(one.what, (0, 0))
        totals[one.what] = rows + one.rows, size + one.bytes
    return {what: f"{rows:,} rows, {size:,} bytes" for what, (rows, size) in totals.items()}
