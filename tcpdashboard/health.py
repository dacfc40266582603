"""Whether this process lives, whether it can serve, and how the whole installation is.

Only `live` may ever decide about a restart; `status` is for people and monitors. Details are for
staff, for programs of this machine, and for monitors that show the token.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import RedisError

from marketdata.models import Collector
from tcpdashboard.common.addresses import is_from_this_machine
from tcpdashboard.common.broker import beat_age_s, check_broker, queue_depths


@require_safe
@login_not_required
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as this process answers at all."""
    return JsonResponse({"status": "live"})


@require_safe
@login_not_required
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 with the reasons why requests cannot be served now."""
    details = {name: detail for name, check in CHECKS.items() if (detail := check())}
    if not details:
        return JsonResponse({"status": "ready"})
    reasons = details if _may_see_details(request) else {name: PLAIN[name] for name in details}
    return JsonResponse({"status": "unready", "reasons": reasons}, status=503)


@require_safe
@login_not_required
@never_cache
def status(request: HttpRequest) -> JsonResponse:
    """Answer 200 with ages and depths, a part that cannot be read says why; 403 to strangers."""
    if not _may_see_details(request):
        return JsonResponse({"error": ONLY_FOR}, status=403)
    return JsonResponse({name: _part(read) for name, read in PARTS.items()})


def _check_database() -> str:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError as error:
        return f"PostgreSQL does not answer: {_first_line(error)}"
    return ""


def _check_migrations() -> str:
    # Applied once they stay so as long as this process runs, and finding out reads every file.
    if _IS_MIGRATED.is_set():
        return ""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "not known while PostgreSQL does not answer"
    if missing:
        return f"{len(missing)} not applied: run `manage.py migrate`"
    _IS_MIGRATED.set()
    return ""


def _may_see_details(request: HttpRequest) -> bool:
    is_monitor = is_from_this_machine(request) or _shows_token(request)
    return is_monitor or bool(request.user.is_staff)


def _shows_token(request: HttpRequest) -> bool:
    token, shown = settings.MONITOR_TOKEN, request.headers.get("Authorization", "")
    return bool(token) and constant_time_compare(shown, f"Bearer {token}")


def _collectors() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {
            "name": row.name,
            "exchange": row.exchange,
            "desired": row.desired,
            "state": row.state,
            "is_held": row.lease_expires_at is not None and row.lease_expires_at > now,
            "heartbeat_age_s": _age_s(now, row.heartbeat_at),
            "exchange_time": row.exchange_time,
        }
        for row in Collector.objects.all()
    ]


def _beat() -> dict[str, float | None]:
    return {"age_s": beat_age_s()}


def _part(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (DatabaseError, RedisError) as error:
        return {"error": _first_line(error)}


def _age_s(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else round((now - then).total_seconds(), 1)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


_IS_MIGRATED: Final = Event()

ONLY_FOR: Final = "for staff, for programs of this machine, and with the monitors' token"
PLAIN: Final = {
    "database": "the database does not answer",
    "broker": "the broker does not answer",
    "migrations": "the database is not prepared",
}

CHECKS: Final[dict[str, Callable[[], str]]] = {
    "database": _check_database,
    "broker": check_broker,
    "migrations": _check_migrations,
}

PARTS: Final[dict[str, Callable[[], Any]]] = {
    "beat": _beat,
    "collectors": _collectors,
    "queues": queue_depths,
}

app_name = "health"
urlpatterns = [
    path("live", live, name="live"),
    path("ready", ready, name="ready"),
    path("status", status, name="status"),
]
