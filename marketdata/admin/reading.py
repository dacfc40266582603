"""Lists of millions of rows that answer at once, and that nobody can change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

# Django's own classes take no parameters when the program runs.
if TYPE_CHECKING:
    _Paginator = Paginator[Model]
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _Paginator, _ModelAdmin = Paginator, admin.ModelAdmin

_COUNTED: Final = 10_000


class CappedPaginator(_Paginator):
    """Counts to 10,001 and no further: an exact count reads the whole table."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: _COUNTED + 1].count())


class ReadOnlyAdmin(_ModelAdmin):
    """What is recorded is looked at here, never written."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class BulkAdmin(ReadOnlyAdmin):
    """A bulk table through its view. The search box takes a UTC day.

    Every query stays on the primary key: rows are sorted by it alone, and a row is found by the
    columns its text key is made of.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    sortable_by = ()
    list_select_related = ("instrument",)
    list_per_page = 100
    # Filled so that the box is shown; the search itself is below.
    search_fields = ("id",)
    search_help_text = "A day in UTC, such as 2026-01-31."

    time_field: str
    key_fields: tuple[str, ...]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        try:
            day = date.fromisoformat(search_term.strip())
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            end = start + timedelta(days=1)
        except (ValueError, OverflowError):
            messages.warning(request, f"expected a day such as 2026-01-31, was {search_term!r}")
            return queryset.none(), False
        return queryset.filter(
            **{f"{self.time_field}__gte": start, f"{self.time_field}__lt": end}
        ), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        try:
            numbers = [int(part) for part in object_id.split("-")]
            key = dict(zip(self.key_fields, numbers, strict=True))
            key_time = datetime.fromtimestamp(0, UTC) + timedelta(
                milliseconds=key.pop(self.time_field)
            )
        except (ValueError, OverflowError):
            return None
        return self.get_queryset(request).filter(**key, **{self.time_field: key_time}).first()
